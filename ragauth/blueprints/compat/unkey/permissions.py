"""Permissions: scopes that somebody has described. There are no roles."""
