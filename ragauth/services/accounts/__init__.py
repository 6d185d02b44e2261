"""Accounts: signing up, logging in, passwords, addresses, second factors, leaving.

Passwords are hashed before a transaction begins, in one thread that clients share fairly
(`hashing_gate`). A throttle is asked before each password or code is checked.
"""
