"""The version of this client, which is released apart from ragauth."""

VERSION = "0.1.0"
