"""Mail: queued in the transaction of what caused it, sent beside the requests, at least once.

Services call `queue`; the process that sends calls `outbox`. A recipient gets
a bounded number of mails, whatever causes them (`budget`).
"""
