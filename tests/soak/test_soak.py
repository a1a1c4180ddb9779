"""A short soak on each database; `make soak` is the long one."""

from __future__ import annotations

import pytest

from tests.soak.__main__ import soak


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_server_that_is_killed_loses_and_halves_nothing(database: str) -> None:
    assert soak(2, database, seed=1) == []
