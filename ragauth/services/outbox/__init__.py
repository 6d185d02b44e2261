"""The outbox: what leaves the house is a row, written in the transaction that caused it.

One queue has two transports, mail and webhooks (`rounds.Transport`). Claiming, trying again and
giving up are the same for both (`rounds`). A transport says how one row is sent, how long it waits
after a failure, and what else is written then. Each row is sent at least once.
"""
