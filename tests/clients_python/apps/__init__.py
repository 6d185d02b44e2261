"""One small service, written for each framework; all of them must behave the same.

POST /documents asks for `ingest`; /agents/{agent_id}/query for `query` and the agent; /answers
reserves 100 tokens and uses 12, or 5 and then fails; /late is refused by the view itself; GET
/healthz needs no key.
"""
