"""The jobs in a real worker process, on a real checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pyoxigraph as ox
import pytest

from app.errors import Gone, NotFound
from app.records.caged import CagedRunner
from app.records.service import Records
from app.sandbox.pool import Checkpoint, Limits, Pool
from tests.profile.samples import BASE, SAMPLE, sample_profile


def test_records_come_from_the_cage(tmp_path: Path) -> None:
    live = ox.Store(str(tmp_path / "live"))
    live.load(path=str(SAMPLE / "data" / "sample.trig"))
    live.backup(str(tmp_path / "checkpoint"))
    asyncio.run(_ask(Checkpoint(str(tmp_path / "checkpoint"), 7)))


async def _ask(checkpoint: Checkpoint) -> None:
    pool = Pool(light=1, heavy=1, batch=1, queue=4, checkpoint=lambda: checkpoint)
    await pool.start()
    try:
        limits = Limits(seconds=10, memory_mb=512)
        runner = CagedRunner(pool, limits, lambda: checkpoint.generation)
        records = Records(runner, sample_profile())
        assert records.generation == 7
        assert (await records.page("organisation"))["total"] == 4
        assert (await records.get(f"{BASE}id/organisation/kul"))["name"] == "KU Leuven"
        document = await records.document(f"{BASE}id/organisation/kul", "text/turtle")
        assert b"KU Leuven" in document
        with pytest.raises(Gone):
            await records.get(f"{BASE}id/organisation/gone")
        with pytest.raises(NotFound):
            await records.get(f"{BASE}id/organisation/never")
    finally:
        await pool.stop()
