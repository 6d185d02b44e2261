"""Pure functions: passwords, key format, scopes, identifiers, addresses."""
