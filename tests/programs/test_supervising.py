"""A program under `runlore run` meets the signals, the terminal and the end that it would meet without."""

import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runlore import Store

RUN = [sys.executable, "-m", "runlore", "run"]
PROBE = """
import os, signal, sys, time
def got(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    if number == signal.SIGWINCH:
        print("size", *os.get_terminal_size(1), flush=True)
for name in "HUP INT TERM QUIT USR1 USR2 WINCH".split():
    signal.signal(getattr(signal, "SIG" + name), got)
print("ready", *(os.isatty(number) for number in range(3)), flush=True)
for line in sys.stdin:
    print("read", line.strip(), flush=True)
    if line.strip() == "end":
        sys.exit(7)
"""


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    path = tmp_path / "probe.py"
    path.write_text(PROBE)
    return path


class Session:
    """A process with a terminal of its own, which it controls."""

    def __init__(self, *command: str) -> None:
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            with suppress(OSError):
                os.execvp(command[0], command)
            os._exit(99)
        self.text = b""

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def wait_for(self, text: str, times: int = 1) -> bytes:
        """Return what was printed once a text stands in it so many times."""
        until = time.monotonic() + 60
        while self.text.count(text.encode()) < times:
            assert time.monotonic() < until, self.text
            if select.select([self.terminal], [], [], 1)[0]:
                try:
                    self.text += os.read(self.terminal, 4096)
                except OSError:
                    break
        assert self.text.count(text.encode()) >= times, self.text
        return self.text

    def end(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def sessions() -> Iterator[list[Session]]:
    found: list[Session] = []
    yield found
    for session in found:
        with suppress(OSError):
            os.killpg(session.pid, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(session.pid, 0)
        os.close(session.terminal)


class Piped:
    """A probe with pipes, in a process group of its own."""

    def __init__(self, probe: Path) -> None:
        self.process = subprocess.Popen(
            [*RUN, str(probe)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert self.line() == "ready False False False"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def is_stopped(self) -> bool:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()


@pytest.fixture
def piped(store: Store, probe: Path) -> Iterator[Piped]:
    found = Piped(probe)
    yield found
    with suppress(ProcessLookupError):
        os.killpg(found.process.pid, signal.SIGKILL)
    found.process.communicate()


def shell(text: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["bash", "-c", text.replace("RUN", " ".join(RUN))], capture_output=True, check=False)


def test_signals_arrive_once_wherever_they_are_sent(piped: Piped) -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
        piped.process.send_signal(number)
        assert piped.line() == f"got {number.name}"
        os.killpg(piped.process.pid, number)
        assert piped.line() == f"got {number.name}"
        piped.say("here")
        assert piped.line() == "read here", "the signal to the group came twice"
    piped.say("end")
    assert piped.process.wait(60) == 7


def test_a_signal_for_the_group_comes_once_however_late_we_get_to_it(piped: Piped) -> None:
    """On a busy machine our process may wait for long: it must not take the signal for one of its own then."""
    for number in (signal.SIGUSR1, signal.SIGTERM):
        piped.process.send_signal(signal.SIGSTOP)
        while not piped.is_stopped():
            time.sleep(0.01)
        os.killpg(piped.process.pid, number)
        assert piped.line() == f"got {number.name}"
        piped.process.send_signal(signal.SIGHUP)  # of a lower number: it is found first
        time.sleep(0.5)
        piped.process.send_signal(signal.SIGCONT)
        assert piped.line() == "got SIGHUP"
        piped.say("here")
        assert piped.line() == "read here"
    piped.say("end")
    assert piped.process.wait(60) == 7


STRESS = pytest.mark.stress
EARLY = """
import os, signal
from runlore.programs.relay import Relay
from runlore.programs.supervising import end_like, hold_signals, supervise
from runlore.programs.unheard import Unheard
mask = hold_signals()
relay = Relay(None)
SEND
end_like(supervise(["sh", "-c", "sleep 1; exit 3"], os.environ, relay, mask, Unheard()))
"""
BEFORE_ALL = """
import os, signal, sys
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "runlore.programs.command":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
sys.argv = ["runlore", "run", "sh", "-c", "exit 3"]
from runlore.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "send", ["os.killpg(0, signal.SIGINT)", "os.kill(os.getpid(), signal.SIGINT)", "os.killpg(0, signal.SIGTERM)"]
)
def test_a_signal_before_the_program_starts_ends_it(send: str) -> None:
    """Ctrl-C goes to a group that the program is not in yet: it would have run on."""
    code = EARLY.replace("SEND", send)
    done = subprocess.run([sys.executable, "-c", code], start_new_session=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-(signal.SIGTERM if "TERM" in send else signal.SIGINT), b"")


def test_ctrl_c_before_runlore_is_ready_leaves_no_traceback(store: Store) -> None:
    done = subprocess.run([sys.executable, "-c", BEFORE_ALL], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, *(pytest.param(number, marks=STRESS) for number in (signal.SIGTERM, signal.SIGSEGV))]
)
def test_an_end_by_a_signal_is_ours_too(store: Store, number: signal.Signals) -> None:
    done = shell(f"RUN sh -c 'kill -{number} $$'; echo $?")
    assert done.stdout == f"{128 + number}\n".encode()
    (found,) = store.runs()
    assert found.status == ("interrupted" if number == signal.SIGTERM else "failed")
    assert found.error is not None
    assert (found.error["type"], found.error["message"]) == ("ProgramFailed", f"ended by {number.name}")
    assert not found.artifacts


def test_an_exit_status_is_ours_too(store: Store) -> None:
    done = subprocess.run([*RUN, "sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert done.stderr.splitlines()[-1] == b"err"
    (found,) = store.runs()
    assert (found.status, (found.error or {})["message"]) == ("failed", "exit status 3")
    assert found.artifact("output.log").read_bytes() == b"out\nerr\n"


def test_a_terminal_is_found_as_without_us(store: Store, probe: Path, sessions: list[Session]) -> None:
    session = Session(*RUN, str(probe))
    sessions.append(session)
    session.wait_for("ready True True True")
    session.type("\x03")
    session.wait_for("got SIGINT")
    session.type("\x1c")
    session.wait_for("got SIGQUIT")
    session.resize(33, 111)
    session.wait_for("size 111 33")
    session.type("end\n")
    said = session.wait_for("read end")
    assert session.end() == 7
    assert (said.count(b"got SIGINT"), said.count(b"got SIGQUIT")) == (1, 1)
    assert b"\r\r" not in said


def test_ctrl_z_stops_the_job_and_fg_goes_on(store: Store, probe: Path, sessions: list[Session]) -> None:
    session = Session("bash", "--norc", "--noprofile", "-i")
    sessions.append(session)
    session.type(f"PS1='% '; {' '.join(RUN)} {probe}\n")
    session.wait_for("ready True True True")
    session.type("\x1a")
    session.wait_for("Stopped")
    session.type("echo between\n")
    session.wait_for("between", 2)
    session.type("fg\n")
    session.type("hello\n")
    session.wait_for("read hello")
    session.type("end\n")
    session.wait_for("read end")
    session.type("echo status $?\n")
    session.wait_for("status 7")
    session.type("exit\n")


@pytest.mark.parametrize(
    "text",
    [
        "yes | RUN head -1; echo ${PIPESTATUS[*]}",
        "RUN yes | head -1; echo ${PIPESTATUS[*]}",
        pytest.param("RUN sh -c 'echo lost; echo kept >&2; exit 5' >&-; echo $?", marks=STRESS),
        pytest.param("RUN sh -c 'read x; echo \"<$x>\"' <&-; echo $?", marks=STRESS),
        pytest.param("RUN sh -c 'read x; echo \"<$x>\"' <<< 'a line'; echo $?", marks=STRESS),
        pytest.param("(RUN sh -c 'echo one; echo two >&2; echo three; echo four >&2' 2>&1) | cat", marks=STRESS),
        pytest.param("RUN sh -c 'exec >&-; sleep 2' | (read x; echo ended)", marks=STRESS),
    ],
)
def test_pipes_end_as_without_us(store: Store, text: str) -> None:
    bare = subprocess.run(["bash", "-c", text.replace("RUN ", "")], capture_output=True, check=False)
    done = shell(f"export RUNLORE_QUIET=1; {text}")
    assert (done.stdout, done.returncode) == (bare.stdout, bare.returncode)


def test_what_outlives_the_program_keeps_nobody_waiting_and_still_prints(store: Store, tmp_path: Path) -> None:
    """The daemon prints when it is told to by a file, after its program's end."""
    go = tmp_path / "go"
    script = f"(until [ -e {go} ]; do sleep 0.05; done; echo late) & echo early"
    process = subprocess.Popen([*RUN, "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.wait(60) == 0
    go.touch()
    with process:
        assert process.stdout is not None
        assert process.stdout.read() == b"early\nlate\n"
    assert store.runs()[0].artifact("output.log").read_bytes() == b"early\n"


@STRESS
def test_any_bytes_pass_unchanged(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "bytes.py"
    path.write_text(
        "import sys, hashlib\nfor n in range(4000): sys.stdout.buffer.write(hashlib.sha512(b'%d' % n).digest() * 100)"
    )
    bare, done = (
        subprocess.run([*start, str(path)], capture_output=True, check=False) for start in ([sys.executable], RUN)
    )
    assert len(bare.stdout) == 25_600_000
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(bare.stdout).digest()


@pytest.mark.parametrize(("name", "status"), [("nowhere.py", 127), ("no-such-program", 127), ("plain.txt", 126)])
def test_what_can_not_be_started_is_told(tmp_path: Path, store: Store, name: str, status: int) -> None:
    (tmp_path / "plain.txt").write_text("text")
    done = subprocess.run([*RUN, name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert len(store.runs()) == 0


@pytest.mark.parametrize(("content", "status"), [(b"echo $1; exit 3\n", 3), (b"\0\1\2", 126)])
def test_a_text_that_names_no_program_is_executed_by_the_shell(
    store: Store, tmp_path: Path, content: bytes, status: int
) -> None:
    """As shells, `env` and `nice` do: a `train.sh` that begins without `#!`."""
    (tmp_path / "train").write_bytes(content)
    (tmp_path / "train").chmod(0o755)
    done = subprocess.run([*RUN, "./train", "out"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (status, b"out\n" if status == 3 else b"")
    (found,) = store.runs()
    assert found.error is not None
    assert ("Exec format error" in found.error["message"]) == (status == 126)


@pytest.mark.parametrize("descriptors", [6, 12, 14, 20])
def test_a_program_runs_on_where_descriptors_are_used_up(store: Store, descriptors: int) -> None:
    """The process that passes its output on died of it, or never ended: it held the pipe that tells it to."""
    done = shell(f"ulimit -n {descriptors}; RUN sh -c 'echo out; exit 3'; echo $?")
    assert done.stdout == b"out\n3\n", done.stderr
    assert b"Traceback" not in done.stderr
    if descriptors == 6:  # how many more are needed depends on what this process hands down
        assert b"nothing of this program is recorded" in done.stderr
    if descriptors == 20:
        assert len(store.runs()) == 1
