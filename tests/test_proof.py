"""The proof of what a user has written, and the secret behind it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store, _proof
from runlore.log.frames import EVENT, SIGNATURE_SIZE, FrameReader
from tests.process import Process

Python = Callable[..., Process]
PAYLOAD = b'{"type":"link","time":1}'


def events_of(store: Store, name: str) -> list[tuple[str, bytes]]:
    run = store.run(name)
    (item,) = store.folder.files_of(run.id)
    with item.path.open("rb") as file:
        return [(run.id, payload) for kind, payload in FrameReader(file, SIGNATURE_SIZE) if kind == EVENT]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own-state"))
    return tmp_path / "own-state"


def test_the_secret_is_made_once_for_this_user_alone(state: Path) -> None:
    first = _proof.with_proof(PAYLOAD, "a")
    path = _proof.secret_place()
    assert path == state / "runlore" / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["secret"]
    assert first == _proof.with_proof(PAYLOAD, "a") != PAYLOAD
    assert path.read_bytes() not in first


def test_a_proof_is_of_this_very_text_for_this_very_run(state: Path) -> None:
    signed = _proof.with_proof(PAYLOAD, "a")
    assert _proof.is_proven(signed, "a")
    assert not _proof.is_proven(signed, "b")
    assert not _proof.is_proven(PAYLOAD, "a")
    assert not _proof.is_proven(signed.replace(b"link", b"open"), "a")
    assert not _proof.is_proven(b"", "a")
    again = _proof.with_proof(signed, "a")  # of a text that had one already: both stay readable
    assert _proof.is_proven(again, "a")


@pytest.mark.parametrize(("mode", "counts"), [(0o600, True), (0o640, False)])
def test_what_was_proven_on_a_machine_whose_secret_was_brought_counts(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, counts: bool
) -> None:
    signed = _proof.with_proof(PAYLOAD, "a")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "unknown"))
    assert not _proof.is_proven(signed, "a")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "known"))
    brought = tmp_path / "known" / "runlore" / "trusted" / "laptop"
    brought.parent.mkdir(parents=True)
    brought.write_bytes((state / "runlore" / "secret").read_bytes())
    brought.chmod(mode)
    assert _proof.is_proven(signed, "a") is counts
    assert not _proof.is_proven(signed, "b")
    assert _proof.is_proven(_proof.with_proof(PAYLOAD, "a"), "a"), "its own"
    assert _proof.with_proof(PAYLOAD, "a") != signed


def test_what_readers_act_on_is_proven_and_survives_sealing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"w")
    with store.start_run("proven", params={"lr": 1}) as run:
        run.log_artifact(tmp_path / "w.bin", keep=False)
        run.link("started_from", run.id)
        run.log_metrics({"loss": 1.0})
    found = events_of(store, "proven")
    kinds = {kind for kind in _proof.KINDS if any(f'"type":"{kind}"'.encode() in payload for _, payload in found)}
    assert kinds >= {"open", "artifact", "link"}
    for run_id, payload in found:
        wanted = any(payload.startswith(f'{{"type":"{kind}"'.encode()) for kind in _proof.KINDS)
        assert _proof.is_proven(payload, run_id) == wanted, payload


@pytest.mark.parametrize("what", ["open to others", "a link", "a pipe", "a folder", "too short", "of another"])
def test_a_secret_that_others_may_know_or_have_made_proves_nothing(state: Path, what: str) -> None:
    secret = state / "runlore" / "secret"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(b"k" * (5 if what == "too short" else _proof.SECRET_BYTES))
    secret.chmod(0o640 if what == "open to others" else 0o600)
    if what == "of another":
        if os.getuid() != 0:
            pytest.skip("only root may give files away")
        os.chown(secret, 12345, -1)
    if what == "a link":
        secret.symlink_to(secret.rename(secret.with_name("elsewhere")))
    if what in ("a pipe", "a folder"):
        secret.unlink()
        os.mkfifo(secret, 0o600) if what == "a pipe" else secret.mkdir(0o700)
    assert _proof.with_proof(PAYLOAD, "a") == PAYLOAD
    assert _proof.proof_of(b"", "a") == ""


def test_without_a_home_everything_is_recorded_and_nothing_is_proven(python: Python, store: Store) -> None:
    script = """
import os, sys, runlore
os.environ["HOME"] = sys.argv[1]
os.environ.pop("XDG_STATE_HOME", None)
runlore.start_run("homeless", params={"lr": 1}).finish()
"""
    for home in ("/nonexistent/home", "/proc/self"):
        done = python(script, home)
        done.succeed()
        assert "Warning" not in done.err
    found = events_of(store, store.runs()[0].id)
    assert found
    assert not any(b'"proof"' in payload for _, payload in found)


@pytest.mark.skipif(os.getuid() != 0, reason="takes on another user")
def test_no_secret_is_made_in_another_users_home(python: Python, tmp_path: Path) -> None:
    """As of `sudo`, which may keep HOME."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 12345, -1)
    python(
        "import os, sys\nos.environ['HOME'] = sys.argv[1]\nos.environ.pop('XDG_STATE_HOME', None)\n"
        "import runlore\nrunlore.start_run().finish()",
        str(home),
    ).succeed()
    assert not list(home.iterdir())


def test_processes_that_start_at_once_share_one_secret(python: Python, state: Path, store: Store) -> None:
    script = "import runlore, sys\nrunlore.start_run(sys.argv[1]).finish()"
    started = [python(script, f"r{number}") for number in range(4)]
    for one in started:
        one.succeed()
    for number in range(4):
        assert all(
            _proof.is_proven(payload, run) for run, payload in events_of(store, f"r{number}") if b'"open"' in payload
        )
