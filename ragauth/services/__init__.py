"""The rules: modules of functions with keyword arguments; nothing here knows HTTP.

Each folder is a domain, and imports only domains below it, in this order: operators and compat,
accounts, keys, sessions, mail, limits. All domains may use `audit`, `account_lock` and `troubles`.
Faces, commands and background work call the services. Errors that concern a caller are
RagauthErrors.
"""
