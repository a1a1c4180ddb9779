from __future__ import annotations

import pytest

from app.api.bearer import bearer_token
from app.errors import Unauthenticated


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Bearer abc"], "abc"),
        (["bearer   abc "], "abc"),
        (["BEARER a b"], "a b"),
        ([], "missing"),
        ([""], "malformed"),
        (["Bearer"], "malformed"),
        (["Bearer  "], "malformed"),
        (["Basic YTpi"], "malformed"),
        (["abc"], "malformed"),
        (["Bearer a", "Bearer b"], "malformed"),
    ],
    ids=str,
)
def test_header_to_token_or_reason(headers: list[str], expected: str) -> None:
    if expected in {"missing", "malformed"}:
        with pytest.raises(Unauthenticated) as caught:
            bearer_token(headers)
        assert caught.value.facts == {"reason": expected}
    else:
        assert bearer_token(headers) == expected
