"""Imports modules once and forks a process for each command: the program of a `WarmParent`, which runs it by its text.

A child becomes what `python *command` would have started: its own arguments, variables, folder, streams, `sys.path`,
`__main__` and random states, and it ends by Python's own end. It only finds the modules imported.
"""

import gc
import io
import json
import linecache
import os
import selectors
import signal
import socket
import sys
import warnings
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from importlib.machinery import BuiltinImporter, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

FORK_SAFE_THREADS = {"jemalloc_bg_thd"}  # their library makes them anew in a child
DESCRIPTORS = 5  # sent with each request: the child's connection, its three streams, the file with the request

Request = dict[str, Any]


@dataclass(eq=False)
class Child:
    """A forked process. It stays a zombie until its connection closes, so that nobody signals another of its id."""

    pid: int
    ended: int  # a descriptor that can be read once it has ended
    connection: socket.socket

    def report(self) -> None:
        """Send the exit status, negative for a signal."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert found is not None
        status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        try:
            self.connection.send(b"%d\n" % status)
        except OSError:
            return  # nobody waits for it any more

    def remove(self) -> None:
        """Kill it if it still runs, and let the system forget it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.let_go()

    def let_go(self) -> None:
        """Close what belongs to it here."""
        os.close(self.ended)
        self.connection.close()


def prepare(modules: list[str], path: str) -> list[str]:
    """Import the modules, and return why this process can't be forked safely: no reason if it can."""
    own, sys.path = sys.path, searched(sys.path[0], path, sys.path[1:])
    for module in modules:
        import_module(module)
    sys.path = own
    reasons = ["runlore was imported"] if "runlore" in sys.modules else []
    reasons += ["PYTHONSAFEPATH is set"] if sys.flags.safe_path else []
    pid = os.fork()  # at which numerical libraries end their threads
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    gc.freeze()  # or each child would copy all memory when it ends, to collect what the modules hold
    threads = [name for name in thread_names() if name not in FORK_SAFE_THREADS]
    return reasons + [f"thread {name} runs" for name in threads[1:]]


def thread_names() -> list[str]:
    """Return what the system calls this process's threads, the main one first."""
    tasks = sorted(Path("/proc/self/task").iterdir(), key=lambda task: int(task.name))
    return [(task / "comm").read_text(encoding="utf-8").strip() for task in tasks]


def searched(first: str, more: str, standard: list[str]) -> list[str]:
    """Return the `sys.path` of a Python that starts with `more` as its PYTHONPATH."""
    entries = [os.path.abspath(entry) for entry in more.split(os.pathsep) if entry]  # noqa: PTH100  # as Python does
    return [first, *dict.fromkeys([*entries, *standard])]


def serve(control: socket.socket) -> Request | None:
    """Fork at each request. Return it in the child; in the parent, None once the other side has gone."""
    children: list[Child] = []
    with selectors.PollSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            key, _ = selector.select()[0]
            child: Child = key.data
            if key.fileobj is control:
                _, descriptors, _, _ = socket.recv_fds(control, 1, DESCRIPTORS)
                if not descriptors:
                    break
                request = fork(descriptors, selector, children)
                if request is not None:
                    control.close()
                    return request
            elif key.fileobj is child.connection:
                selector.unregister(child.connection)
                if child.ended in selector.get_map():
                    selector.unregister(child.ended)
                children.remove(child)
                child.remove()
            else:
                selector.unregister(child.ended)
                child.report()
    for child in children:
        child.remove()
    return None


def fork(descriptors: list[int], selector: selectors.BaseSelector, children: list[Child]) -> Request | None:
    """Fork a child for one request, and return the request in it."""
    connection, *streams, described = descriptors
    with os.fdopen(described, encoding="utf-8") as file:
        request: Request = json.load(file)
    pid = os.fork()
    if pid == 0:
        os.close(connection)
        for other in children:
            other.let_go()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return request
    for stream in streams:
        os.close(stream)
    child = Child(pid, os.pidfd_open(pid), socket.socket(fileno=connection))
    children.append(child)
    selector.register(child.connection, selectors.EVENT_READ, child)
    selector.register(child.ended, selectors.EVENT_READ, child)
    child.connection.send(b"%d\n" % pid)
    return None


def become(request: Request) -> tuple[bytes, str, dict[str, Any]]:
    """Take on the circumstances of the asked command; return its source with a name, and the namespace to run it in."""
    command: list[str] = request["command"]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:  # Python's own generator is seeded anew at a fork
        numpy_random.set_bit_generator(numpy_random.MT19937())
    main = ModuleType("__main__")
    vars(main).update(__builtins__=__builtins__, __annotations__={})
    if command[1] == "-c":
        first, arguments, name, source = "", command[2:], "<string>", command[2].encode()
        arguments = ["-c", *arguments[1:]]
        main.__loader__ = BuiltinImporter
        if name in linecache.cache:  # since 3.13, tracebacks show lines of it: not those of this program
            linecache.cache[name] = (len(source), None, command[2].splitlines(keepends=True), name)
    else:
        arguments, name = command[1:], str(Path(command[1]).absolute())
        first = str(Path(name).resolve().parent)
        with io.open_code(name) as file:
            source = file.read()
        main.__file__ = name
        main.__loader__ = SourceFileLoader("__main__", name)
        vars(main)["__cached__"] = None
    sys.argv, sys.orig_argv = arguments, command
    sys.path = searched(first, request["environment"].get("PYTHONPATH", ""), sys.path[1:])
    sys.modules["__main__"] = main
    invalidate_caches()
    return source, name, vars(main)


if __name__ == "__main__":
    this = sys.modules["__main__"]  # the child replaces it, while its code goes on
    settings = json.loads(sys.argv[2])
    other_side = socket.socket(fileno=int(sys.argv[1]))
    other_side.send(json.dumps(prepare(settings["modules"], settings["path"])).encode() + b"\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads beside a fork: they are known here
        asked = serve(other_side)
    if asked is None:
        os._exit(0)
    try:
        text, filename, namespace = become(asked)
        exec(compile(text, filename, "exec", dont_inherit=True), namespace)
    except BaseException as error:  # all go on their way
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # as if this frame were not there
        raise
