"""The hot path: a key check from request to answer, without Flask if the request is plain.

The gate asks the same checker as the ordinary routes and renders with the same functions. A request
that is not plain goes on to the application.
"""
