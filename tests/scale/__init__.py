"""A database that has grown: what fills one, and what its planner says to each named query."""
