"""Killable, memory-limited worker processes for work on what strangers send.

`pool` is the server's side, `worker` and `walls` the other; `wire` is what passes between them.
"""
