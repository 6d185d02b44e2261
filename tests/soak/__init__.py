"""Load, faults and a witness for many minutes: `make soak` (docs/reliability.md).

`rounds` builds a `stage` (real servers and hosts), lets `customers`, `checkers` and `bursts` ask,
injects `faults` one after the other, and has an `oracle` compare each answer with what was
acknowledged before.
"""
