"""A `vitequiv` that starts in milliseconds: the real command line, forked from a process that has torch loaded already.

A page makes dozens of calls, and four fifths of each would be imports. `python -m tests.preloaded SOCKET` imports
once and forks for each call; the file that `install` writes, first on the path as `vitequiv`, hands its arguments,
environment, directory and three streams over, and leaves with the exit code that comes back.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULES = (
    "vitequiv.cli.app", "vitequiv.runs.match", "vitequiv.runs.match_artifacts", "vitequiv.plots.match",
    "matplotlib.pyplot", "safetensors.torch", "transformers.models.auto", "transformers.models.beit.modeling_beit",
    "transformers.models.swin.modeling_swin", "transformers.models.deit.modeling_deit",
)  # fmt: skip
CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n"
    socket.send_fds(server, [call[:1]], [0, 1, 2])
    server.sendall(call[1:])
    answer = server.recv(8)
sys.exit(int(answer or b"1"))
"""


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """Yields a directory with a `vitequiv` to put on the path, while its server runs."""
    address, client = folder / "socket", folder / "bin" / "vitequiv"
    client.parent.mkdir()
    client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    server = subprocess.Popen([sys.executable, "-m", "tests.preloaded", str(address)], cwd=Path(__file__).parents[1])
    try:
        while not address.exists():
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
        yield client.parent
    finally:
        server.terminate()
        server.wait()


def serve(address: str) -> None:
    """Fork for each call, for ever."""
    for name in MODULES:
        __import__(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address + "~")
        listening.listen(16)
        Path(address + "~").rename(address)  # it is there when it listens
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                answer(connection)
            connection.close()


def answer(connection: socket.socket) -> None:
    """Be one call, in a child that ends here."""
    from vitequiv.__main__ import main

    call, streams, _, _ = socket.recv_fds(connection, 1, 3)
    while not call.endswith(b"\n"):
        call += connection.recv(1 << 16)
    arguments, directory, environment = json.loads(call)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(importlib.import_module("huggingface_hub.constants"))  # HF_HOME is read when it is imported
    sys.argv = ["vitequiv", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    connection.sendall(str(code).encode())
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    serve(sys.argv[1])
