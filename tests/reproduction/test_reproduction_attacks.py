"""What attackers have tried on `runlore reproduce`: files of the user's, foreign code, wrong verdicts, signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runlore import Store
from runlore.provenance.source import Code
from runlore.recording.captures import section_event
from runlore.reproduction import verdicts
from runlore.reproduction.checkout import write_code
from runlore.reproduction.plan import CannotReproduce
from runlore.reproduction.prompts import find_prompts
from runlore.reproduction.reproduce import distrust, prepare
from runlore.reproduction.venv import full_version
from runlore.store.runs import RecordedRun
from tests.cli.test_cli import document, runlore
from tests.plugins.test_environment import git
from tests.process import Process
from tests.reproduction.test_reproduction import everything, project, reproduce, small, train, wheels

__all__ = ["project", "small", "wheels"]

Python = Callable[..., Process]
SMALL = """\
import os, sys
import runlore
with runlore.start_run("first") as run:
    run.log_metrics({"loss": 1.0})
"""


def forged(store: Store, **recorded: Any) -> RecordedRun:
    """A run whose environment says what an attacker wants."""
    with store.start_run("first") as run:
        run.log_metrics({"loss": 1.0})
    added = store.run(run).attach()
    for name, values in recorded.items():
        added.run_log.event(section_event(name, values))
    added.finish()
    return store.run(run)


# Files of the user's


def test_nothing_is_written_through_a_link_to_the_users_data(store: Store, project: Path) -> None:  # noqa: F811
    train(project)
    run = store.run("first").attach()
    run.log_artifact(project / "data" / "x.csv")
    run.finish()
    (project / "data" / "x.csv").write_text("4\n5\n6\n")
    for arguments in (["--dry-run"], ["--force"]):
        reproduce("--link", "data", *arguments)
        assert (project / "data" / "x.csv").read_text() == "4\n5\n6\n"


def test_recorded_folders_cannot_lead_out_of_the_fresh_one(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    run = forged(store, git={"root": f"/c/../..{outside}"})
    before = everything(tmp_path)
    plan = prepare(run, tmp_path / "again", here=True)
    assert plan.cwd.resolve().is_relative_to(tmp_path / "again")
    assert plan.places.code.resolve().is_relative_to(tmp_path / "again")
    assert not outside.exists()
    shutil.rmtree(tmp_path / "again")
    assert everything(tmp_path) == before


def test_data_cannot_be_put_into_gits_own_folder(store: Store, project: Path) -> None:  # noqa: F811
    train(project)
    run = store.run("first").attach()
    (project / "cfg").write_text("[core]\n\tfsmonitor = touch hacked\n")
    run.log_artifact(project / "cfg")
    sha256 = next(item.sha256 for item in store.run(run).artifacts if item.name == "cfg")
    run.log_data("evil", None, path=".git/config", fingerprint=sha256)
    run.log_data("odd", None, path="odd", fingerprint="/etc/hostname")
    run.finish()
    found = document("reproduce", "first", "--here", "--dry-run", "--json")
    assert {item["name"]: item["state"] for item in found["data"]}["evil"] == "has changed"
    assert "odd" not in {item["name"] for item in found["data"] if item["path"]}


def test_arguments_of_any_form_lead_into_the_fresh_folder(
    store: Store,
    project: Path,  # noqa: F811
) -> None:
    (project / "train.py").write_text(
        "import sys, runlore\n"
        "for argument in sys.argv[1:]:\n"
        "    open(argument.partition('=')[2].strip('[]').removeprefix('file://') + '.made', 'w').close()\n" + SMALL
    )
    train(project, f"out={project}/one", f"+a.b=[{project}/two]", f"url=file://{project}/three")
    for path in project.glob("*.made"):
        path.unlink()
    assert reproduce().exit_code == 0
    assert not list(project.glob("*.made"))


# Foreign code


def test_what_nobody_trusts_is_not_looked_for(store: Store, project: Path, tmp_path: Path) -> None:  # noqa: F811
    """To look for a package may mean to build it, and a version of Python may be a program."""
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/hacked\n")
    evil.chmod(0o755)
    packages = {str(tmp_path / "package"): "1", "--find-links=x": "1", "numpy": "2.0; touch hacked"}
    run = forged(store, python={"version": str(evil)}, packages=packages)
    plan = prepare(run, tmp_path / "again")
    assert plan.fresh is None
    assert not (tmp_path / "hacked").exists()
    plan = prepare(forged(store, python={"version": "3.11"}, packages=packages), tmp_path / "other", look=False)
    assert not list((tmp_path / "other").glob("venv"))
    assert full_version("3.13.0+") == "3.13.0"
    assert full_version(str(evil)) is None


def test_names_that_are_no_packages_are_told(store: Store, tmp_path: Path, wheels: Path) -> None:  # noqa: F811
    version = ".".join(map(str, sys.version_info[:3]))
    run = forged(store, python={"version": version}, packages={"--find-links=x": "1", "click": "/etc"})
    told = [item.what for item in prepare(run, tmp_path / "again").problems if item.part == "environment"]
    assert sum("no name and version of a package" in what for what in told) == 2


def test_no_filter_of_the_repository_runs_for_a_plan(store: Store, project: Path, tmp_path: Path) -> None:  # noqa: F811
    (project / ".gitattributes").write_text("*.py filter=evil\n")
    git(project, "add", ".gitattributes")
    git(project, "commit", "-m", "attributes")
    train(project)
    git(project, "config", "filter.evil.clean", f"touch {tmp_path}/hacked; cat")
    os.utime(project / "train.py")
    assert reproduce("--dry-run").exit_code == 0
    assert not (tmp_path / "hacked").exists()


def test_nothing_is_fetched_for_what_a_repository_lacks(store: Store, project: Path, tmp_path: Path) -> None:  # noqa: F811
    script = tmp_path / "fetch.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/hacked\n")
    script.chmod(0o755)
    train(project)
    for setting in (
        "core.repositoryFormatVersion=1", "extensions.partialClone=origin", "remote.origin.promisor=true",
        f"remote.origin.url=ext::{script}", "protocol.ext.allow=always",
    ):  # fmt: skip
        git(project, "config", *setting.split("=", 1))
    commit = git(project, "rev-parse", "HEAD").strip()
    (project / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    assert reproduce("--dry-run").exit_code == 0
    assert not (tmp_path / "hacked").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may call its machine otherwise")
def test_the_code_of_a_run_is_trusted_no_more_than_that_of_those_above_it(
    store: Store,
    project: Path,  # noqa: F811
) -> None:
    command = f"hostname elsewhere && exec {sys.executable} train.py 3"
    subprocess.run(["unshare", "--uts", "sh", "-c", command], check=True, capture_output=True)
    with store.start_run("mine", parent="first"):
        pass
    assert "another machine" in str(distrust(store.run("mine")))
    assert runlore("reproduce", "mine", "--here").exit_code == 1


def test_a_script_that_was_reached_by_a_link_is_the_recorded_one(
    store: Store,
    project: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "link").symlink_to(project)
    train(project, script=str(tmp_path / "link" / "train.py"))
    (project / "train.py").write_text("raise SystemExit('the present code runs')\n")
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "bit-identical" in result.stdout


def test_a_script_that_goes_elsewhere_before_its_run_is_found(
    store: Store,
    project: Path,  # noqa: F811
) -> None:
    (project / "exp").mkdir()
    (project / "exp" / "train.py").write_text("raise SystemExit('the wrong script runs')\n")
    (project / "train.py").write_text("import os, runlore\nos.chdir('exp')\n" + SMALL)
    git(project, "add", ".")
    train(project)
    assert store.run("first").command["began_in"] == str(project)
    result = reproduce()
    assert result.exit_code == 0, result.output


def test_packages_from_a_folder_are_not_taken_from_an_index(
    store: Store,
    project: Path,  # noqa: F811
    small: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    for name, place in (("mine", tmp_path / "lib"), ("ours", project / "lib")):
        (site / f"{name}-1.0.dist-info").mkdir()
        told = {"url": place.as_uri(), "dir_info": {"editable": True}}
        (site / f"{name}-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    (project / "lib").mkdir()
    (project / "lib" / "pyproject.toml").write_text('[project]\nname = "ours"\nversion = "1.0"\n')
    git(project, "add", ".")
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    found = document("reproduce", "first", "--dry-run", "--json")["problems"]
    assert [item["what"] for item in found] == [
        f"package mine 1.0 was installed from {tmp_path / 'lib'}, not from an index"
    ]


# Verdicts


def judged(store: Store, **how: Callable[[Any, int], None]) -> verdicts.Verdict:
    """Of two runs that do what the functions say, told which of the two they are."""
    for name, number in (("a", 0), ("b", 1)):
        with store.start_run(name) as run:
            run.log_metrics({"loss": 1.0})
            for act in how.values():
                act(run, number)
    return verdicts.judge(store.run("a"), store.run("b"))


def test_files_that_differ_are_not_the_same(store: Store, tmp_path: Path) -> None:
    def table(run: Any, number: int) -> None:
        (tmp_path / "pred.csv").write_text(f"{number}\n")
        run.log_artifact(tmp_path / "pred.csv")

    assert judged(store, act=table).level == "different"


def test_weights_that_differ_where_no_metric_does_are_not_the_same(store: Store, tmp_path: Path) -> None:
    def weights(run: Any, number: int) -> None:
        torch.save({"w": torch.full((3,), float(number))}, tmp_path / "w.pt")
        run.log_artifact(tmp_path / "w.pt", kind="model")

    found = judged(store, act=weights)
    assert (found.level, found.files[0].by) == ("different", "weights")


def test_weights_may_differ_as_far_as_the_metrics_do(store: Store, tmp_path: Path) -> None:
    def both(run: Any, number: int) -> None:
        run.log_metrics({"acc": 0.5 + 1e-9 * number})
        torch.save({"w": torch.full((3,), float(number))}, tmp_path / "w.pt")
        run.log_artifact(tmp_path / "w.pt", kind="model")

    assert judged(store, act=both).level == "within tolerance"


def test_a_file_that_nobody_can_compare_leaves_it_open(store: Store, tmp_path: Path) -> None:
    def gone(run: Any, number: int) -> None:
        run.run_log.event({"type": "artifact", "name": "m", "kind": "model", "sha256": f"{number}" * 64, "size": 1})

    found = judged(store, act=gone)
    assert (found.level, found.files[0].same) == ("within tolerance", None)


def test_params_that_came_out_otherwise_count(store: Store) -> None:
    assert judged(store, act=lambda run, number: run.log_params({"lr": number})).level == "different"


def test_params_that_say_where_files_go_do_not_count(store: Store) -> None:
    assert judged(store, act=lambda run, number: run.log_params({"out_dir": str(number)})).level == "bit-identical"


def test_a_number_of_the_run_beside_a_metric_of_its_name_counts(store: Store) -> None:
    found = judged(store, act=lambda run, number: run.log_summary({"loss": 1.0 + number}))
    assert (found.level, found.deviations[0].key) == ("different", "loss (of the whole run)")


def test_zero_and_minus_zero_are_not_the_same_bits(store: Store) -> None:
    found = judged(store, act=lambda run, number: run.log_metrics({"zero": -0.0 if number else 0.0}))
    assert (found.level, found.deviations[0].largest) == ("within tolerance", 0.0)


def test_other_errors_are_not_the_same_end(store: Store) -> None:
    for name, error in (("a", ValueError("x")), ("b", KeyError("x"))):
        with pytest.raises(type(error)), store.start_run(name) as run:
            run.log_metrics({"loss": 1.0})
            raise error
    found = verdicts.judge(store.run("a"), store.run("b"))
    assert found.level == "different"
    assert "the first failed with ValueError: x" in found.reasons[0]


# Which run stands for which

MANY = """\
import os, runlore
count = int(os.environ.get("COUNT", "3"))
for number in range(count):
    with runlore.start_run(f"top{number}") as run:
        run.log_metrics({"loss": float(number)})
        for fold in range(count):
            with runlore.start_run(f"fold{fold}", parent=run) as child:
                child.log_metrics({"loss": float(fold)})
"""


def test_runs_that_do_not_come_again_are_missed(store: Store, project: Path) -> None:  # noqa: F811
    (project / "train.py").write_text(MANY)
    train(project)
    again = ["--here", "--json", "--", "env", "COUNT=2", "python", "train.py"]
    found = json.loads(runlore("reproduce", "top1", *again).stdout)
    assert [store.run(item["again"]).name for item in found["runs"]] == ["top1-again", "fold0-again", "fold1-again"]
    assert [store.run(run).name for run in found["lacking"]] == ["fold2"]
    assert found["verdict"] == "different"
    result = runlore("reproduce", "top2", *again)
    assert result.exit_code == 1
    assert "recorded no run that stands for 'top2'" in result.stderr


def test_other_commands_make_no_reproductions_that_statistics_leave_out(
    store: Store,
    project: Path,  # noqa: F811
) -> None:
    train(project)
    reproduce("--", "python", "train.py", "4")
    assert "reproduces" not in store.runs()[0].tags
    assert store.runs()[0].links[0]["kind"] == "reproduces"
    reproduce()
    assert store.runs()[0].tags["reproduces"] == "first"


# Repositories of all kinds


def written(folder: Path, target: Path) -> list[str]:
    commit = git(folder, "rev-parse", "HEAD").strip()
    return write_code(Code("a", commit, str(folder)), target, "main", None)[1]


def test_names_of_any_kind_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "re:po"
    folder.mkdir()
    git(folder, "init")
    names = ["back\\slash.py", "new\nline.py", "ümlaut \"quoted\" 'x'.py", os.fsdecode(b"latin\xe9.py"), "C:drive.py"]
    for name in names:
        (folder / name).write_text(repr(name))
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    target = tmp_path / "target"
    target.mkdir()
    assert written(folder, target) == []
    assert {path.name for path in target.iterdir()} == {*names, ".git"}
    assert git(target, "status", "--porcelain") == ""


def test_links_cannot_lead_out_together(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    (folder / "deep" / "er").mkdir(parents=True)
    git(folder, "init")
    (folder / "a").symlink_to("deep/er")
    (folder / "deep" / "er" / "b").symlink_to("../../..")
    (folder / "deep" / "er" / "c").symlink_to("../../x")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    target = tmp_path / "target"
    target.mkdir()
    (problem,) = written(folder, target)
    assert "'deep/er/b' is a link that leads out of the repository" in problem


def test_sha256_and_shallow_repositories_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "sha256"
    folder.mkdir()
    git(folder, "init", "--object-format=sha256")
    for number in range(3):
        (folder / "a.py").write_text(f"{number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-m", str(number))
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", folder.as_uri(), str(shallow))
    for place in (folder, shallow):
        target = tmp_path / f"{place.name}-target"
        target.mkdir()
        assert written(place, target) == []
        assert (target / "a.py").read_text() == "2\n"
        assert len(git(target, "log", "--oneline").splitlines()) == (1 if place == shallow else 3)
        assert git(target, "status", "--porcelain") == ""


def test_an_object_that_is_gone_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init")
    for name in ("a.py", "b.py"):
        (folder / name).write_text(name)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    blob = git(folder, "rev-parse", "HEAD:a.py").strip()
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    target = tmp_path / "target"
    target.mkdir()
    problems = written(folder, target)
    assert "'a.py' is not among git's objects any more" in problems
    assert (target / "b.py").read_text() == "b.py"


# Asking


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ("input()", True),
        ("from getpass import getpass as gp\ngp()", True),
        ("from pdb import set_trace\nset_trace()", True),
        ("import click as c\nc.prompt('x')", True),
        ("import sys\nsys.stdin.readline()", True),
        ("def input(x):\n    return x\ninput(3)", False),
        ("model.input()", False),
        ("x = a" + ".b()" * 3000, False),
    ],
)
def test_what_asks_is_found(tmp_path: Path, source: str, asks: bool) -> None:
    (tmp_path / "a.py").write_text(source)
    assert bool(list(find_prompts(tmp_path / "a.py", tmp_path))) == asks


# Options


def test_what_cannot_be_brought_is_refused(store: Store, project: Path, tmp_path: Path) -> None:  # noqa: F811
    train(project)
    git(project, "add", "-f", "data")
    (tmp_path / "wanted.csv").write_text((project / "data" / "x.csv").read_text())
    for arguments, message in (
        (["--link", "helper.py"], "something is there that would be lost"),
        (["--with", str(tmp_path / "wanted.csv")], "PLACE="),
        (["--with", "nothing"], "there is no 'nothing'"),
    ):
        result = reproduce(*arguments)
        assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    (project / "data" / "x.csv").unlink()
    (project / "data" / "dangling").symlink_to("nowhere")
    assert "data/x.csv=PATH brings it" in reproduce().stdout
    result = reproduce("--with", f"data/x.csv={tmp_path / 'wanted.csv'}", "--with", "data")
    assert result.exit_code == 0, result.output


def test_folders_that_came_to_nothing_are_removed(store: Store, project: Path, tmp_path: Path) -> None:  # noqa: F811
    (project / "more.py").write_text("def two():\n    return 2 * int(input() or 1)\n")
    subprocess.run([sys.executable, "train.py", "3"], input=b"\n" * 20, check=True, capture_output=True)
    target = tmp_path / "again"
    assert reproduce("--to", str(target)).exit_code == 1
    assert not target.exists()
    subprocess.run([sys.executable, "-c", "import runlore; runlore.start_run('typed')"], check=True)
    assert runlore("reproduce", "typed", "--here", "--force", "--to", str(target)).exit_code == 1
    assert not target.exists()
    target.mkdir()
    (target / "mine").touch()
    for more in ([], ["--dry-run"]):
        result = reproduce("--to", str(target), *more)
        assert (result.exit_code, "is not empty" in result.stderr) == (1, True)
    assert (target / "mine").exists()
    with pytest.raises(CannotReproduce):
        prepare(store.run("first"), target, here=True)
    assert not list((tmp_path / "temporary").iterdir())


# Signals

SLOW = """\
import signal, sys, time, runlore
from pathlib import Path
with runlore.start_run("first") as run:
    run.log_metrics({"loss": 1.0})
    if Path(sys.argv[1]).exists():
        Path(sys.argv[1] + ".begun").touch()
        for _ in range(6000):  # a signal just before one long sleep would be heard after it
            time.sleep(0.1)
"""


@pytest.fixture
def slow(store: Store, project: Path, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:  # noqa: F811
    """Begins to reproduce a run that waits when it is run again, and returns once it does."""
    flag = tmp_path / "wait"
    (project / "train.py").write_text(SLOW)
    train(project, str(flag))
    flag.touch()

    def begin(**options: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "runlore", "reproduce", "first", "--here"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        deadline = time.monotonic() + 60
        while not Path(f"{flag}.begun").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    return begin


def test_it_does_not_leave_the_command_behind(store: Store, slow: Callable[..., Any]) -> None:
    process = slow()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert store.runs()[0].status == "interrupted"


def test_ctrl_c_ends_both_and_says_so(store: Store, slow: Callable[..., Any]) -> None:
    process = slow(start_new_session=True)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in out
    assert store.runs()[0].status == "interrupted"


def test_a_second_ctrl_c_ends_a_command_that_did_not_hear_the_first(store: Store, slow: Callable[..., Any]) -> None:
    process = slow()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_series_of_numpy_is_compared_as_it_lies(store: Store) -> None:
    values = np.array([0.1, np.nan, np.inf, -np.inf])
    for name in "ab":
        with store.start_run(name) as run:
            for value in values:
                run.log_metrics({"loss": value})
    assert verdicts.judge(store.run("a"), store.run("b")).level == "bit-identical"
