"""The text of a key: `ltg_{id}_{secret}`, the secret of 256 random bits.

The prefix lets scanners of source code find a leaked key. The id finds the row; only the secret
proves anything. With that much chance in it, one round of SHA-256 is a sufficient hash: there is
no dictionary to try.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "ltg_"
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_([0-9a-f]{{64}})")
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Secret:
    """A key as its holder has it. Its text is in no representation, so it reaches no log."""

    id: str
    _secret: str

    @property
    def text(self) -> str:
        """What the holder keeps and sends."""
        return f"{PREFIX}{self.id}_{self._secret}"

    @property
    def hash(self) -> str:
        """What is stored."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def matches(self, stored: str | None) -> bool:
        """Compare with a stored hash in constant time; None, for an unknown id, never matches."""
        return hmac.compare_digest(self.hash, stored or _NOBODY) and stored is not None

    def __repr__(self) -> str:
        return f"Secret({self.id})"


def new_secret() -> Secret:
    """A key that nobody else has."""
    return Secret(secrets.token_hex(6), secrets.token_hex(32))


def read_secret(text: str) -> Secret | None:
    """A key from its text; None when it does not have the form of one."""
    found = _KEY.fullmatch(text)
    return Secret(found[1], found[2]) if found else None
