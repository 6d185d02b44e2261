"""Connections to Postgres on which every wait ends.

libpq has no time-out for reading: while a server is stopped or its packets are lost, each thread
that asks it would wait. `connection` bounds every wait, `watch` detects that the whole database
does not answer, and `dialect` makes SQLAlchemy use both. The package is loaded only if the database
is Postgres, by the dialect name that `ragauth.database` registers.
"""
