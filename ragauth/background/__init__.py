"""Background work in threads: usage is saved, mail and webhooks are sent, the clock is watched.

With `ragauth/server` one process beside the workers does it; under any other server each serving
process does, from its first request on, since a thread does not survive a fork (`threads.py`). Each
work continues after a failure and reports it (`services.troubles`). A failure loses nothing,
because the pending work stays in the database or the counters. The runtime makes the works. No
request waits for them.
"""
