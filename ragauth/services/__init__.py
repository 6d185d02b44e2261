"""The rules: modules of functions with keyword arguments; nothing here knows HTTP."""
