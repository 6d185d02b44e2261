"""Webhooks: messages to the operator's own systems, by Standard Webhooks 1.0.

`services.audit` queues a message with the event that it tells of, in the same transaction
(`messages`). The background work sends it (`sending`), over a connection that reaches public
addresses alone (`connection`). Operators set the endpoints (`services.operators.webhooks`).
"""
