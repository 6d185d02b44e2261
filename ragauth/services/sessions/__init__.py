"""Sessions: opened by a login, continued by single-use refresh tokens, ended for good.

`tokens` signs and reads JWTs with the keys of `signing_keys`. A session that has ended is dead at
once in every process: each access token is checked against the database.
"""
