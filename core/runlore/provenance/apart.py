"""Has model files read in another process, by libraries in C that a hostile file can stall, fill or crash.

It gets open files over a socket and sends back what a reader finds (`serving`). The system limits its computing time
and memory: beyond them that process ends, and nothing else.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from runlore.hookspecs import ModelFile, Tensor

MAX_ANSWER = 256 << 20
PASSING = ("ImportError", "ModuleNotFoundError", "MemoryError")  # errors that the content is not to blame for
PROGRAM = "import sys; from runlore.provenance.serving import serve; serve(int(sys.argv[1]))"
Reader = Callable[[ModelFile], Sequence[Tensor]]


class Apart:
    """Runs readers in a process of its own, which starts with the first file and ends with the `with` block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def read(self, reader: Reader, descriptor: int, seconds: float) -> list[Tensor]:
        """Return what a reader, a function of a module, finds in an open file.

        Raises:
            ValueError: it failed, or took more than the seconds of computing, or too much memory.
            ImportError: a library is missing.
            OSError: no process can be started.
        """
        question = {"module": reader.__module__, "name": reader.__name__, "seconds": seconds, "path": sys.path}
        with self._lock:
            try:
                asked = self._started()
                socket.send_fds(asked, [json.dumps(question).encode() + b"\n"], [descriptor])
                with asked.makefile("rb") as answers:
                    line = answers.readline(MAX_ANSWER)
            except (BrokenPipeError, ConnectionResetError):
                line = b""
            if not line.endswith(b"\n"):
                self._stop()
                raise ValueError(f"reading it took more than {seconds:.0f} seconds of computing, or ended the reader")
        answer = json.loads(line)
        if "error" in answer:
            kind, message = answer["error"]
            raise ImportError(message) if kind in PASSING else ValueError(f"{kind}: {message}")
        return [Tensor(name, dtype, tuple(shape), sha256) for name, dtype, shape, sha256 in answer["tensors"]]

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._socket, other = socket.socketpair()
            with other:
                command = [sys.executable, "-P", "-c", PROGRAM, str(other.fileno())]
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    pass_fds=[other.fileno()], env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True,
                )  # fmt: skip
        return self._socket

    def _stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
