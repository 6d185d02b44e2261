"""Things that the tests need in the database or on the wire, made in one call."""
