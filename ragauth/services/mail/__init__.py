"""Mail: queued in the transaction of what caused it, sent beside the requests, at least once.

`queue` is for whoever has something to say, `outbox` for the process that sends. A recipient gets
a bounded number of mails, whatever causes them (`budget`).
"""
