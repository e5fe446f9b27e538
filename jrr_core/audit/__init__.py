"""Recomputes from the stored rows alone what is complete, and compares it with the coverage ledger.

`walk.audit` reads a store stream by stream, each row once and none kept:
ids as runs (`runs`), book updates as a chain and the book they make
(`chain`, `kept`), closed candles as a grid (`grid`) and against the trades
they are made of (`sums`). `ledger` then holds what was found missing against
what the store says is missing. Called by `jrr audit`.
"""
