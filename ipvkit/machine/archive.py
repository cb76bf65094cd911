"""The archive of the agent: our agent and pyroute2, compiled, in one file that Python can start.

Law: nothing else of ours goes in, so the agent cannot import what it must not (``ipvkit/__init__`` is empty in there).
Compiled files belong to one interpreter's bytecode version; the archive is made once for each, and cached.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ipvkit.errors import MachineError
from ipvkit.machine import cache

_PACKAGE = Path(__file__).resolve().parent.parent
_SUPERVISOR = ("supervisor", "isolation", "processor", "restriction", "workplace")
_KEPT = 4  # one for each interpreter and version in use
_OURS = ("errors.py", "agent/*.py", *(f"machine/{name}.py" for name in _SUPERVISOR))
# Writes nothing to any disk, and ends with the client (PR_SET_PDEATHSIG): a killed client leaves nothing behind.
_COMPILE = """
import ctypes, importlib.util, io, json, marshal, os, sys, zipfile
orders = json.load(sys.stdin)
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != orders["client"]:
    sys.exit()
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    for name, text in orders["sources"].items():
        code = compile(text, name, "exec", dont_inherit=True)
        archive.writestr(name + "c", importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))
sys.stdout.buffer.write(packed.getvalue())
"""
_START = "from ipvkit.agent.__main__ import main\nmain()\n"


def open_archive(python: str, bytecode: str) -> int:
    """Give a descriptor to the archive for the interpreter ``python``, whose bytecode version is ``bytecode`` (hex).

    Raises ``MachineError`` when pyroute2 is not installed or something does not compile.
    """
    sources = dict(_sources())
    digest = hashlib.sha256(bytecode.encode())
    for name, path in sources.items():
        status = path.stat()
        digest.update(f"{name} {path} {status.st_size} {status.st_mtime_ns}\n".encode())
    name = f"agent-{digest.hexdigest()[:16]}.zip"
    with suppress(OSError):
        stored = os.open(cache.directory() / name, os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(stored).st_size:
            return stored
        os.close(stored)
    content = _build(python, sources)
    cache.store(name, content)
    _forget_old()
    descriptor = os.memfd_create("ipvkit-agent")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor


def _forget_old() -> None:
    """Remove all but the newest archives; a machine that runs from one of them has it open."""
    with suppress(OSError):  # another user's cache may be read-only, another process may have been faster
        for path in sorted(cache.directory().glob("agent-*.zip"), key=os.path.getmtime)[:-_KEPT]:
            path.unlink()


def _sources() -> Iterator[tuple[str, Path]]:
    for pattern in _OURS:
        for path in sorted(_PACKAGE.glob(pattern)):
            yield f"ipvkit/{path.relative_to(_PACKAGE)}", path
    found = importlib.util.find_spec("pyroute2")
    if found is None or not found.submodule_search_locations:
        raise MachineError("pyroute2 is not installed for this Python; ./lab does it, or: pip install 'pyroute2<0.10'")
    root = Path(next(iter(found.submodule_search_locations)))
    for path in sorted(root.rglob("*.py")):
        yield f"pyroute2/{path.relative_to(root)}", path


def _build(python: str, sources: dict[str, Path]) -> bytes:
    """Compile with the interpreter the archive is for; it gets the sources and gives the archive through pipes."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources.items()}
    texts |= {"ipvkit/__init__.py": "", "ipvkit/machine/__init__.py": "", "__main__.py": _START}
    orders = json.dumps({"client": os.getpid(), "sources": texts}).encode()
    done = subprocess.run([python, "-I", "-S", "-B", "-c", _COMPILE], input=orders, capture_output=True, check=False)
    if done.returncode:
        raise MachineError(f"the agent does not compile with {python}:\n{done.stderr.decode(errors='replace')}")
    return done.stdout
