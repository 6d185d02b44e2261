"""The plumbing that all faces share: endpoint, guards, envelope, errors, request log.

It handles HTTP and contains no rule of the product: services decide who is let in, and the face
that was called words the answer (`faces`). Every answer has a request id, a line in the log and the
headers of `around`, even if no route gave it. `check/` is the hot path, `openapi/` the document.
"""
