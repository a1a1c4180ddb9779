"""The server-rendered pages: plain HTML that works without scripts, in four languages."""

from __future__ import annotations

from fastapi import APIRouter

from app.pages.examples import Example, read_examples
from app.pages.router import Pages, RecordSource
from app.profile import Profile
from app.settings import Settings

__all__ = ["Example", "Pages", "pages_router", "read_examples"]


def pages_router(records: RecordSource, profile: Profile, settings: Settings) -> APIRouter:
    """Return the routes alone; `Pages` has the problem page and the SPARQL form besides."""
    return Pages(records, profile, settings).router
