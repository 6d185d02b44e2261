"""The client for TypeScript: its package, as it is published, used against a running service."""
