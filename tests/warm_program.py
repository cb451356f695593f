"""A program `python` for shells, whose processes are forked from a warm parent."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from runlore.testing.processes import TIMEOUT_S
from runlore.testing.warm import WarmParent

CLIENT = """\
#!{python} -SE
import json, os, socket, sys
request = dict(command=["{python}", *sys.argv[1:]], environment=dict(os.environ), folder=os.getcwd())
with socket.socket(socket.AF_UNIX) as server:
    server.connect("{address}")
    socket.send_fds(server, [json.dumps(request).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.makefile().readline()))
"""


@contextmanager
def warm_program(folder: Path, parent: WarmParent) -> Iterator[None]:
    """Put `python` into a folder; while this lasts, whatever it is asked to run is forked from the parent."""
    with socket.socket(socket.AF_UNIX) as listening:
        address = folder / "python.socket"
        listening.bind(str(address))
        listening.listen()
        program = folder / "python"
        program.write_text(CLIENT.format(python=sys.executable, address=address))
        program.chmod(0o755)
        server = Thread(target=_serve, args=(listening, parent))
        server.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            server.join()


def _serve(listening: socket.socket, parent: WarmParent) -> None:
    """Fork one process after the other, until nobody listens any more."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            asked, streams, *_ = socket.recv_fds(connection, 1 << 20, 3)
            while not asked.endswith(b"\n"):
                asked += connection.recv(1 << 20)
            request = json.loads(asked)
            forked = parent.fork(request["command"], request["environment"], Path(request["folder"]), streams)
            for stream in streams:
                os.close(stream)
            connection.send(b"%d\n" % forked.wait(TIMEOUT_S))
