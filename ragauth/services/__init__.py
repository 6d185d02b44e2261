"""The rules: modules of functions with keyword arguments; nothing here knows HTTP.

A folder is a domain, and knows those below it alone: operators and compat, accounts, keys,
sessions, mail, limits. Beside them stand what each may use: `audit`, `account_lock`, `troubles`.
Faces, commands and the work beside requests call them. What a caller can meet is raised as a
RagauthError.
"""
