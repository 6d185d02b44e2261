"""The hot path: a key check from the request's bytes to the answer's, past Flask where it is plain.

The gate asks the same checker as the ordinary routes and renders with the same functions; what is
not plain goes on to the application.
"""
