"""Pure functions and settings: no database, no application."""
