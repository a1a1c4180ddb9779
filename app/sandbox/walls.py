"""What a worker gives up for good before it sees the first job."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import time
from collections.abc import Iterator
from typing import Final

_REFUSED: Final = (
    # connections of any kind
    "socket", "connect", "bind", "listen", "accept", "accept4",
    # ways around: queued system calls, other programs, other processes, namespaces
    "io_uring_setup", "io_uring_enter", "execve", "execveat", "ptrace", "process_vm_readv",
    "process_vm_writev", "pidfd_getfd", "bpf", "unshare", "setns", "mount",
)  # fmt: skip
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """Be killed when the process that started this one ends (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def refuse_network() -> bool:
    """Give up opening connections and starting programs, by seccomp; False where not possible.

    The second wall: SERVICE and LOAD are refused before they get here. Existing descriptors, such
    as the pipe to the server, go on working.
    """
    try:
        import pyseccomp  # noqa: PLC0415 -- fails without libseccomp, and off Linux
    except (ImportError, OSError, RuntimeError):
        return False
    try:
        rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        for name in _REFUSED:
            rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
        rules.load()
    except (OSError, ValueError):
        return False
    return True


def no_core_dumps() -> None:
    """A worker that is stopped by a limit must not fill the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_SAME_SIZE_SECONDS = 0.1
"""For so long what a process had for its last jobs is taken for what it has now."""


class Memory:
    """The address space of this process.

    Without /proc, on systems other than Linux, there is no limit.
    """

    def __init__(self) -> None:
        _, self._hard = resource.getrlimit(resource.RLIMIT_AS)
        self._page = os.sysconf("SC_PAGE_SIZE")
        try:  # opened once: it is read before every query
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._statm = -1
        self._megabytes = 0
        self._until = 0.0

    def limit(self, megabytes: int, *, anew: bool) -> None:
        """Let it grow by `megabytes` from what it is now, and no further.

        Unless `anew`, a limit that was set a moment ago stands: what other jobs have taken since,
        and given back, is there for this one. Setting it is two system calls.
        """
        now = time.monotonic()
        stands = megabytes == self._megabytes and now < self._until and not anew
        if self._statm < 0 or stands:
            return
        self._megabytes, self._until = megabytes, now + _SAME_SIZE_SECONDS
        pages = int(os.pread(self._statm, 64, 0).split(b" ", 1)[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * self._page + (megabytes << 20), self._hard))


@contextlib.contextmanager
def limited_files(megabytes: int) -> Iterator[None]:
    """Inside, no file can grow beyond `megabytes`: writing further fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    most = megabytes << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if hard < 0 else min(most, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def end_at_alarm() -> None:
    """Let the alarm of `limit_time` end this process, whatever was inherited."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def limit_time(seconds: float) -> None:
    """Have the kernel end this process after `seconds`, whatever it is doing; 0 lifts the limit.

    The server kills at the deadline; this one is for when the server itself is gone.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)
