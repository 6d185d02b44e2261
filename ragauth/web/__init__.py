"""The plumbing that all faces share: endpoint, guards, envelope, errors, request log.

It owns what HTTP is made of, and no rule: services decide who is let in, and the face that was
called has the words (`faces`). Every answer has a request id, a line in the log and the headers of
`around`, also one that no route gave. `check/` is the hot path, `openapi/` the document.
"""
