"""Pure functions: passwords, key format, scopes, identifiers, addresses.

No database, no settings, no request: what they need is handed to them. A client's text is bounded
before it is normalised (`normal_forms`), so that none is expensive. Any layer above may call them.
"""
