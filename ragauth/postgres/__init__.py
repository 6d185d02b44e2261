"""Connections to Postgres on which no wait is without an end.

libpq has no time-out for reading, so a server that is stopped, or whose packets are lost, would
hold each thread that asks it for as long as that lasts. `connection` puts an end to every wait,
`watch` finds out that the whole database does not answer, and `dialect` gives both to SQLAlchemy.

It is loaded where there is a Postgres, by the name that `ragauth.database` registers.
"""
