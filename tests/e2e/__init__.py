"""The service as its users meet it: real processes, real sockets, a real database."""
