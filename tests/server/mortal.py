"""The service, but a failpoint can be named while it runs: `python -m tests.server.mortal`.

On SIGUSR1 it takes the name from the file `failpoint` in its data directory and removes that.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.server.running import RunningServer

_FILE = "failpoint"
_SECONDS = 60


class MortalServer(RunningServer):
    """A server that dies at the failpoint it was last told."""

    program = ("-m", "tests.server.mortal")

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def arm(self, failpoint: str) -> None:
        """Have it die there from now on, until it is started again."""
        file = self.data_dir / _FILE
        file.write_text(failpoint)
        os.kill(self.pid, signal.SIGUSR1)
        _until(lambda: not file.exists(), "the server did not hear of its failpoint")

    def await_death(self) -> None:
        """Return when it has died by the failpoint; nothing else may have ended it."""
        _until(lambda: not self.alive, "the server did not reach the failpoint")
        assert self._process
        assert self._process.returncode == -signal.SIGKILL, self.log.read_text()[-4000:]


def _until(true: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def _take_failpoint(_number: int, _frame: FrameType | None) -> None:
    file = Path(os.environ["LIFETEC_DATA_DIR"], _FILE)
    os.environ["LIFETEC_FAILPOINT"] = file.read_text()
    file.unlink()


if __name__ == "__main__":
    from app.__main__ import main

    signal.signal(signal.SIGUSR1, _take_failpoint)
    sys.argv[1:] = ["serve"]
    main()
