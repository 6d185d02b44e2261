"""ragauth: accounts, API keys and the check of every request, for companies that sell a RAG API."""

from ragauth.app import create_app

__all__ = ["create_app"]
