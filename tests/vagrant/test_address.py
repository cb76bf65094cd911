"""The line with the address is printed only when JupyterLab answers there."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "provision" / "ipvkit-address"

pytestmark = pytest.mark.vagrant


def test_the_address_is_printed_when_somebody_answers(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "port").write_text("8888\n")
    (tmp_path / "token").write_text("JUPYTER_TOKEN=0123\n")
    script = SCRIPT.read_text().replace("/etc/ipvkit", str(tmp_path)).replace("127.0.0.1:8888", f"127.0.0.1:{port}")
    with subprocess.Popen(["sh", "-c", script, "sh", "9999"], stdout=subprocess.PIPE, text=True) as running:
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=1)
        with http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler) as server:
            server.RequestHandlerClass.do_GET = lambda handler: handler.send_error(204)  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            said, _ = running.communicate(timeout=30)
            server.shutdown()
    assert (running.returncode, said) == (0, "Open http://127.0.0.1:9999/lab?token=0123\n")
