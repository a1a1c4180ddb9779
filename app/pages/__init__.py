"""The server-rendered pages: plain HTML that works without scripts, in four languages."""

from app.pages.examples import Example, read_examples
from app.pages.router import Pages, RecordSource

__all__ = ["Example", "Pages", "RecordSource", "read_examples"]
