"""Work beside the requests, in threads of each serving process: usage, mail, the look at the clock.

It begins with the first request of a process, for a thread does not survive a fork. Each work goes
on after a failure and says what fails (`services.troubles`).
"""
