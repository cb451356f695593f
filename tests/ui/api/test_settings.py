"""What the page keeps for its user at a store: where, for whom, how much, and what stands in the way."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runlore import Store
from runlore.ui.endpoints import Refused
from runlore.ui.kept import MAX_NAME, MAX_SETTINGS, MAX_VALUE, keep, settings
from tests.ui.serving import Serve


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def the_file(state: Path) -> Path:
    (found,) = (state / "runlore" / "pages").iterdir()
    return found


def test_all_servers_of_a_store_share_them_and_no_other_store_has_them(
    store_of_one: Store, serve: Serve, state: Path, tmp_path: Path
) -> None:
    one, two = serve(store_of_one.root, cold=True), serve(store_of_one.root, cold=True)
    assert one.get("/api/settings") == {"settings": {}, "kept": True}
    assert one.post("/api/settings", {"name": "view \U0001f600 é", "value": "?q=1"}).status == 200
    assert two.post("/api/settings", {"name": "theme", "value": "dark"}).status == 200
    assert one.get("/api/settings")["settings"] == {"view \U0001f600 é": "?q=1", "theme": "dark"}
    assert two.post("/api/settings", {"name": "theme"}).status == 200
    assert one.get("/api/settings")["settings"] == {"view \U0001f600 é": "?q=1"}
    assert settings(Store(tmp_path / "other"))["settings"] == {}
    assert stat.S_IMODE(the_file(state).stat().st_mode) == 0o600
    assert stat.S_IMODE(the_file(state).parent.stat().st_mode) == 0o700


def test_several_at_once_lose_nothing(store_of_one: Store, state: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: keep(store_of_one, f"a{number}", "x"), range(60)))
    assert len(settings(store_of_one)["settings"]) == 60
    assert list(the_file(state).parent.iterdir()) == [the_file(state)]


def test_what_is_too_much_is_refused_and_the_rest_stays(store_of_one: Store, serve: Serve, state: Path) -> None:
    served = serve(store_of_one.root, cold=True)
    assert served.post("/api/settings", {"name": "mine", "value": "x" * MAX_VALUE}).status == 200
    for wrong in (
        {"name": "", "value": "x"},
        {"name": "x" * (MAX_NAME + 1), "value": "x"},
        {"name": "x", "value": "x" * (MAX_VALUE + 1)},
        {"name": "x", "value": 3},
        {"value": "x"},
    ):
        assert served.post("/api/settings", wrong).status == 400
    assert served.request("POST", "/api/settings", b'{"name": "x", "value": "y"}').status == 403, "no token for changes"
    kept = {f"x{number}": "" for number in range(MAX_SETTINGS - 1)} | {"mine": "x"}
    the_file(state).write_text(json.dumps(kept))
    assert served.post("/api/settings", {"name": "one more", "value": "x"}).status == 400
    assert served.get("/api/settings")["settings"] == kept
    assert served.post("/api/settings", {"name": "mine", "value": "changed"}).status == 200


@pytest.mark.parametrize("what", ["a link", "a pipe", "a folder", "open to others", "no JSON", "a list", "nested"])
def test_a_file_that_is_none_of_ours_counts_for_nothing(
    store_of_one: Store, state: Path, tmp_path: Path, what: str
) -> None:
    keep(store_of_one, "theme", "dark")
    place = the_file(state)
    content = {"no JSON": "{", "a list": "[]", "nested": "[" * 100_000}.get(what, '{"theme": "forged"}')
    place.write_text(content)
    if what == "open to others":
        place.chmod(0o644)
    elif what in ("a link", "a pipe", "a folder"):
        place.rename(tmp_path / "elsewhere")
        if what == "a link":
            place.symlink_to(tmp_path / "elsewhere")
        elif what == "a pipe":
            os.mkfifo(place)
        else:
            place.mkdir()
    assert settings(store_of_one)["settings"] == {}
    if what == "a folder":
        with pytest.raises(Refused, match="can't be kept in .*directory"):
            keep(store_of_one, "theme", "light")
        assert list(place.parent.iterdir()) == [place]
    else:
        keep(store_of_one, "theme", "light")
        assert settings(store_of_one)["settings"] == {"theme": "light"}
    if what == "a link":
        assert (tmp_path / "elsewhere").read_text() == content


def test_without_a_home_nothing_is_kept_and_that_is_said(
    store_of_one: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert settings(store_of_one) == {"settings": {}, "kept": False}
    with pytest.raises(ValueError, match="no home folder"):
        keep(store_of_one, "theme", "dark")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(Refused, match="can't be kept in .*file"):
        keep(store_of_one, "theme", "dark")
