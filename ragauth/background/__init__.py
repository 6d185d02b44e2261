"""Work beside the requests, in threads of each serving process: usage, mail, the look at the clock.

A thread does not survive a fork, so each process starts its own (`threads.py` says when). Each work
goes on after a failure and says what fails (`services.troubles`); nothing is lost by one, for what
is to be done waits in the database or the counters. The runtime makes the works; no request waits
for one.
"""
