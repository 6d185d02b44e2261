"""What operators do and ask, at a command line or with a service key: no account's own business.

Nothing here is called by a route of the dashboard. It may use every other domain.
"""
