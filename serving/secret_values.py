"""Values that nobody may read: the digests that are stored in their place, and files that only this user can read."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def digest_secret(secret: str) -> str:
    """Gives the SHA-256 of a random value, in hex: the only form of an API key or a session's cookie that is stored.

    A plain fast hash is enough here, unlike for passwords: nobody can guess 256 random bits, so there is nothing for a
    slow hash to slow down, and every request would pay for it.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def write_secret(path: Path, secret: str) -> None:
    """Writes a file that only this user can read; it appears whole or not at all.

    Args:
        path: The file; its folder is made where it is not there.
        secret: In ASCII, one line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    Path(part).replace(path)
