"""API keys, managed with an access token."""
