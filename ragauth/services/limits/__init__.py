"""Limits: what a plan allows, how often an action may be tried, how much was used.

Plans are configuration; the counters decide, exactly and for all workers at once. Each key check
asks `limits`. Actions that invite guessing or floods ask `throttles`. `usage` saves the counters'
totals in the database.
"""
