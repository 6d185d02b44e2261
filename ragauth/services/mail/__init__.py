"""Mail: queued in the transaction that causes it, sent in the background, at least once.

Services call `queue`; the process that sends calls `sending`. The number of mails to one recipient
is bounded for all causes together (`budget`).
"""
