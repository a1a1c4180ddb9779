"""Take the addresses out of an npm lock file; versions and hashes are what it is for.

python -m tests.clients.lock FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_ADDRESSES = ("funding", "resolved")


def main(file: Path) -> None:
    """Rewrite `file`."""
    lock = json.loads(file.read_text())
    for package in lock["packages"].values():
        for name in _ADDRESSES:
            package.pop(name, None)
    file.write_text(json.dumps(lock, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
