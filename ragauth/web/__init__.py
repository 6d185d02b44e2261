"""The plumbing that all faces share: envelope, guards, errors, request log."""
