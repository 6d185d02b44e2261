"""The reads of every request: prepared statements past the ORM, which see the latest commit.

They raise ExternalServiceUnavailable for a database that does not answer in time.
"""
