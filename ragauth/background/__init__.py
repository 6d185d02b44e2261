"""Work beside the requests, in threads of each serving process: usage, mail, the look at the clock.

A thread does not survive a fork, so each process starts its own (`threads.py` says when). Each work
continues after a failure and reports it (`services.troubles`). A failure loses nothing, because the
pending work stays in the database or the counters. The runtime makes the works. No request waits
for them.
"""
