"""What operators do and ask, at the command line or with a service key, across accounts.

Nothing here is called by a route of the dashboard. It may use all other domains of services.
"""
