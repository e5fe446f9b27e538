"""A running collector on a terminal, from its stats over HTTP.

`client` asks, `panes` turns two answers into rows, `snapshot` prints them once,
`app` shows them as they change. Nothing that comes from an exchange or a server
is taken for anything but text.
"""
