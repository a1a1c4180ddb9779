"""A server that is killed again and again while clients publish; see `__main__.py`."""
