"""The service over HTTP, in process: one file an endpoint."""
