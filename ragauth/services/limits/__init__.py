"""Limits: what a plan allows, how often something may be tried, how much was used.

Plans are configuration; the counters decide, exactly and for all workers at once. `limits` is asked
by each check, `throttles` by acts open to guessing or floods, `usage` brings what was counted
into the database.
"""
