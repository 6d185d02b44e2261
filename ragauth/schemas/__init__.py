"""The shapes of what goes in and out; no queries, no rules that need the database."""
