"""The shapes of what goes in and out; no queries, no rules that need the database.

`XSchema` of a request refuses what it does not name (`RequestSchema`); one of an answer shows what
it names and nothing else. Routes declare them, `web.endpoint` loads and dumps, and the OpenAPI
document is written from them.
"""
