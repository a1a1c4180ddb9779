"""An operations database that does not fit, said in words; what fits, see `test_crash`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server.running import lifetec


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "mysql://u:hunter2@h/d",
            "LIFETEC_DATABASE_URL must begin with sqlite:// or postgresql://",
        ),
        ("postgresql://u:hunter2@127.0.0.1:1/d", "cannot be used: postgresql+psycopg://u:***@127"),
    ],
)
def test_a_database_that_does_not_fit_is_refused_in_words(
    url: str, told: str, tmp_path: Path, bare: dict[str, Any]
) -> None:
    done = lifetec(tmp_path / "var", "check", **bare, database_url=url)
    assert done.returncode in {1, 2}
    assert told in " ".join(done.stderr.split())
    assert "hunter2" not in done.stderr + done.stdout
