"""The project's cache directory: the User-Mode Linux kernel, the compiled agent, what doctor found.

Law: everything in it can be made again, and nothing is ever half there: files are written beside their place and
renamed. ``$IPVKIT_CACHE``, or ``ipvkit`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def directory() -> Path:
    """Give the cache directory; it need not exist."""
    chosen = os.environ.get("IPVKIT_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "ipvkit"


def store(name: str, content: bytes, mode: int = 0o644) -> bool:
    """Put ``content`` under ``name`` in one step, permissions ``mode``; False where the cache cannot be written."""
    target = directory() / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())  # else a computer that loses power now may keep the name, and nothing in it
        os.replace(temporary, target)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        return False
    return True


def load(name: str) -> bytes | None:
    """Give what was stored under ``name``, or None."""
    try:
        return (directory() / name).read_bytes()
    except OSError:
        return None
