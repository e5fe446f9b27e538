"""Telling a running collector what to do, over a unix socket of its own that only its owner may use.

`server` listens and hands requests to the commands it is given, `client` asks,
`protocol` is what they say. Knows nothing of what the commands do.
"""
