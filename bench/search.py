"""How well the search finds what people look for in the seed.

    python -m bench.search

Asks the questions of `tests/records/search_quality.toml`, and prints the mean reciprocal rank for
each kind of question, what is not found first, and how long an answer takes.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from tests.records.quality import DEPTH, Answered, answer_all, mean_reciprocal_rank
from tests.server.running import RunningServer


def report(answered: list[Answered]) -> str:
    """The figures as text."""
    kinds = sorted({one.kind for one in answered})
    lines = [f"{len(answered)} questions, MRR {mean_reciprocal_rank(answered):.3f}"]
    for kind in kinds:
        of = [one for one in answered if one.kind == kind]
        lines.append(f"  {kind:16} {len(of):3}  {mean_reciprocal_rank(of):.3f}")
    times = [one.seconds * 1000 for one in answered]
    lines.append(f"median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms")
    lines += [f"place {one.rank or '-'}: {one.q}" for one in answered if one.rank != 1]
    return "\n".join(lines)


def main() -> None:
    """Measure on a server with the seed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningServer(Path(folder) / "var", example="on") as server,
    ):

        def ask(q: str) -> list[str]:
            page = server.get(f"/api/v1/search?{urlencode({'q': q, 'limit': DEPTH})}").json()
            return [item["id"] for item in page["items"]]

        print(report(answer_all(ask)))


if __name__ == "__main__":
    main()
