"""API keys and agents: issued, rotated, revoked, checked.

`check` is the one place that decides whether a key is accepted; it keeps nothing from one check to
the next, so a revoked key is dead at once. A raw key is returned once and stored nowhere.
"""
