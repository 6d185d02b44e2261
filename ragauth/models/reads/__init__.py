"""The reads of every request: prepared statements without the ORM, which see the latest commit.

They raise ExternalServiceUnavailable if the database does not answer in time.
"""
