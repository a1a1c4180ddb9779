"""The small page that clients show beside a candidate, and the fragment of the flyout. Pure.

Clients put both into pages of their own: the page in a frame, the fragment as it is. So everything
is escaped, no script is needed, and links go to web addresses only.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Final

STYLE: Final = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:12px;color:#1c2b2d}h1{font-size:17px;margin:0}"
    "p{margin:2px 0 8px;color:#4a5b5d}dl{margin:0;display:grid;grid-template-columns:8em 1fr;"
    "gap:2px 10px}dt{color:#4a5b5d}dd{margin:0;overflow-wrap:anywhere}a{color:#0b5d66}"
)
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors *; sandbox allow-popups",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Of the page: nothing is run or fetched, and any client may frame it."""

Rows = Sequence[tuple[str, Sequence[str]]]


def fragment(title: str, kind: str, rows: Rows, link: str | None = None) -> str:
    """A heading, what it is, and a list of labels with their values."""
    name = escape(title)
    if link and link.startswith(("http://", "https://")):
        name = f'<a href="{escape(link)}" target="_blank" rel="noopener">{name}</a>'
    items = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(' · '.join(values))}</dd>" for label, values in rows
    )
    return f"<h1>{name}</h1><p>{escape(kind)}</p><dl>{items}</dl>"


def page(title: str, kind: str, rows: Rows, link: str, lang: str) -> str:
    """A whole document around the fragment."""
    return (
        f'<!doctype html>\n<html lang="{escape(lang)}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{fragment(title, kind, rows, link)}</body></html>\n"
    )
