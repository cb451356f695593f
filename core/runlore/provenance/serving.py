"""The program of the process that reads model files apart from others, within limits of the system."""

import json
import resource
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from io import FileIO
from typing import Any

from runlore.hookspecs import ModelFile
from runlore.provenance.model_files import OpenModelFile

MAX_MEMORY = 1 << 30  # of addresses, of which libraries reserve many more than they use


def serve(descriptor: int) -> None:
    """Read the files that arrive, until the other side closes the socket; the program of the process."""
    for what, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MAX_MEMORY)):
        with suppress(OSError, ValueError):  # a lower limit stands already
            resource.setrlimit(what, (most, most))
    with socket.socket(fileno=descriptor) as asking:
        while True:
            question, descriptors, _, _ = socket.recv_fds(asking, 1 << 16, 1)
            if not question:
                return
            asked = json.loads(question)
            signal.setitimer(signal.ITIMER_PROF, asked["seconds"])  # ends the process, also in a loop of C code
            with FileIO(descriptors[0], "rb") as file:
                answer = _answer(asked, OpenModelFile(file))
            signal.setitimer(signal.ITIMER_PROF, 0)
            asking.sendall(json.dumps(answer).encode() + b"\n")


def _answer(asked: dict[str, Any], file: ModelFile) -> dict[str, Any]:
    try:
        sys.path[:] = asked["path"]
        found = getattr(import_module(asked["module"]), asked["name"])(file)
        return {"tensors": [[item.name, item.dtype, list(item.shape), item.sha256] for item in found]}
    except Exception as error:  # a reader of a plugin, and a file that may make any operation fail
        return {"error": [type(error).__name__, str(error)[:1000]]}
