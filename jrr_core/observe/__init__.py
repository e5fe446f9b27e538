"""A running collector looked at from outside: metrics, health and stats over HTTP.

Everything is made from `Manager.get_stats()`, so that no two of them disagree.
Only reads; whatever a client does, the run goes on.
"""
