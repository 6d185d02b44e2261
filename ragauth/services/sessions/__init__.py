"""Sessions: opened by a login, carried on by refresh tokens that are good once, ended for good.

`tokens` signs and reads JWTs with the keys of `signing_keys`. A session that has ended is dead at
once in every process: each access token is held against the database.
"""
