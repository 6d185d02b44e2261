"""Accounts: signing up, logging in, passwords, addresses, second factors, leaving.

Passwords are hashed before a transaction begins, by few threads that are shared fairly
(`hashing_gate`). Each proof of identity passes a throttle first.
"""
