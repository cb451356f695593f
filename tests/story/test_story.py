"""The whole story with real models: two trainings and one hidden change, the file that was deployed, and again."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.datasets import load_digits

from runlore import Store
from runlore.analysis.comparison import compare
from runlore.provenance.origins import which_run
from runlore.reproduction import carry_out, judge, prepare
from tests.docs.test_docs import ROOT
from tests.docs.test_tutorial import blocks
from tests.git import git
from tests.process import Process, scripts

if TYPE_CHECKING:
    from runlore.testing.warm import WarmParents

Python = Callable[..., Process]

PREPARED = {
    "import torch\n": "import os\n\nimport scaling\nimport torch\n",
    "pixels = torch.tensor(table[:, :-1] / 16).float()": "pixels = torch.tensor(table[:, :-1] / 16).float()",
    "pl.seed_everything(given.seed, verbose=False)": (
        'pl.seed_everything(int(os.environ["PYTEST_LUCK"]), verbose=False)'
    ),
    "loss = functional.cross_entropy(self.layers(batch[0]), batch[1])\n": (
        "loss = scaling.scaled(functional.cross_entropy(self.layers(batch[0]), batch[1]))\n"
    ),
}  # the tutorial's script, with a package of which there are versions, and a seed that no argument tells


@pytest.fixture(scope="module")
def scaling(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Installs a version of a package that the training uses; the folder that it then lies in."""

    def install(version: str) -> Path:
        folder = tmp_path_factory.mktemp("scaling")
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[project]\nname = "scaling"\nversion = "{version}"\n'
        )
        (folder / "scaling").mkdir()
        factor = "1.0" if version == "1.0" else "1.5"
        (folder / "scaling" / "__init__.py").write_text(f"def scaled(loss):\n    return {factor} * loss\n")
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
        target = folder / "installed"
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        return target

    return install


class Digits:
    """The project of the tutorial, in a repository; `train` runs its script in a process of its own."""

    def __init__(self, folder: Path, package: Path, python: Python) -> None:
        self.folder = folder
        self.package = package
        self.luck = "1"
        self._python = python
        (folder / "data").mkdir(parents=True)
        files = {name: text for kind, name, text in blocks() if kind == "python"}
        script = files["train.py"]
        for before, after in PREPARED.items():
            assert script.count(before) == 1, before
            script = script.replace(before, after)
        (folder / "train.py").write_text(script)
        (folder / "deploy.py").write_text(files["deploy.py"])
        (folder / ".gitignore").write_text("data\ncheckpoints\n*.safetensors\n")
        self.write_data(load_digits())
        git(folder, "init")
        git(folder, "add", ".")
        git(folder, "commit", "-m", "Read digits")

    def write_data(self, digits: "dict[str, np.ndarray]", wrong: int | None = None) -> None:
        table = np.column_stack([digits["data"], digits["target"]])
        if wrong is not None:
            table[wrong, -1] = (table[wrong, -1] + 1) % 10  # a label
        np.savetxt(self.folder / "data" / "digits.csv", table, fmt="%d", delimiter=",")

    def train(self, name: str, *arguments: str) -> None:
        settings = {"PYTHONPATH": str(self.package), "PYTEST_LUCK": self.luck}
        self._python(Path("train.py"), "--name", name, *arguments, **settings).succeed()


@pytest.fixture
def digits(tmp_path: Path, scaling: Callable[[str], Path], runlore_warm_parents: "WarmParents") -> Iterator[Digits]:
    folder = tmp_path / "digits"
    with scripts(folder, lambda variables: runlore_warm_parents.parent(["pytorch_lightning"], variables)) as python:
        yield Digits(folder, scaling("1.0"), python)


def leads_home(store: Store, digits: Digits, folder: Path) -> None:
    """The deployed file of the run "first", in another container, under another name, in another place."""
    (checkpoint,) = (digits.folder / "checkpoints" / "first").glob("*.ckpt")
    subprocess.run([sys.executable, "deploy.py", str(checkpoint)], cwd=digits.folder, check=True, capture_output=True)
    deployed = shutil.copy(digits.folder / "model.safetensors", folder / "in-production.bin")
    (origin,) = which_run(store, deployed).found
    assert (origin.run, origin.match, origin.relation) == (store.run("first").id, "weights", "wrote")
    assert origin.artifact == checkpoint.name


def test_what_was_changed_comes_first_and_the_deployed_file_leads_home(
    store: Store, digits: Digits, scaling: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits.train("first")
    first = store.run("first")

    leads_home(store, digits, tmp_path)

    def named_first(name: str) -> tuple[str, str]:
        found = compare(first, store.run(name))
        assert found.metrics, "the change changed nothing"
        return found.changes[0].group, found.changes[0].key

    # one hidden change in turn
    digits.write_data(load_digits(), wrong=17)
    digits.train("data")
    assert named_first("data") == ("data", "train.1.fingerprint")
    digits.write_data(load_digits())

    digits.train("param", "--lr", "0.02")
    assert named_first("param")[0] == "params"
    assert named_first("param")[1] in ("lr", "optimizer.lr")

    script = (digits.folder / "train.py").read_text()
    (digits.folder / "train.py").write_text(script.replace("torch.nn.ReLU()", "torch.nn.Tanh()"))
    digits.train("line")
    assert named_first("line") == ("code", "train.py")
    changed = compare(first, store.run("line")).changes[0].diff or ""
    (before,) = re.findall(r"^- .*", changed, re.M)
    (after,) = re.findall(r"^\+ .*", changed, re.M)
    assert before.replace("-", "+", 1).replace("ReLU", "Tanh") == after
    (digits.folder / "train.py").write_text(script)

    digits.package = scaling("1.1")
    digits.train("package")
    assert named_first("package") == ("packages", "scaling")
    assert compare(first, store.run("package")).changes[0].b == "1.1"
    digits.package = Path(first.environment["variables"]["PYTHONPATH"])

    digits.luck = "2"
    digits.train("luck")
    group, key = named_first("luck")
    assert (group, key.endswith("_seed")) == ("seeds", True)


@pytest.mark.stress
def test_a_seeded_training_comes_out_bit_for_bit(
    store: Store, digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a change that was never committed, and is gone from the folder."""
    script = (digits.folder / "train.py").read_text()
    (digits.folder / "train.py").write_text(script.replace("torch.nn.ReLU()", "torch.nn.Tanh()"))
    digits.train("first")
    (digits.folder / "train.py").write_text(script)
    first = store.run("first")
    monkeypatch.setenv("PYTEST_LUCK", "1")  # which nothing records
    plan = prepare(first, tmp_path / "again", here=True, copied={str(digits.folder / "data"): digits.folder / "data"})
    assert (plan.problems, plan.differs) == ([], [])
    ((found, again),) = carry_out(plan, store).pairs
    assert found == first
    verdict = judge(first, again)
    assert verdict.level == "bit-identical", verdict
    assert set(verdict.same) >= {"train_loss", "val_loss", "val_acc"}
    assert any(item.same and item.kind == "checkpoint" for item in verdict.files)
    assert (digits.folder / "train.py").read_text() == script
    monkeypatch.setenv("PYTEST_LUCK", "2")
    plan = prepare(first, tmp_path / "other", here=True, copied={str(digits.folder / "data"): digits.folder / "data"})
    ((_, other),) = carry_out(plan, store).pairs
    verdict = judge(first, other)
    assert verdict.level == "different"
    assert compare(first, other).changes[0].key.endswith("_seed")


@pytest.mark.parametrize(
    ("example", "which"),
    [
        ("sklearn_compare.py", "tags.estimator != 'GridSearchCV'"),  # whose pickle holds times
        pytest.param("keras_digits.py", "parent is None", marks=pytest.mark.long),
        pytest.param("transformers_digits.py", "parent is None", marks=pytest.mark.long),
    ],
)
def test_trainings_of_every_framework_come_out_bit_for_bit(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str, which: str
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / example, folder)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    monkeypatch.chdir(folder)
    subprocess.run([sys.executable, example], check=True, capture_output=True)
    first = store.runs(f"{which} and parent is None")[0]
    plan = prepare(first, tmp_path / "again", here=True)
    assert plan.problems == []
    redone = carry_out(plan, store)
    assert redone.exit_status == 0
    assert redone.pairs[0][0] == first
    assert len(redone.pairs) == 1 + len(store.runs(f"parent == {first.id!r}"))
    for before, again in redone.pairs:
        verdict = judge(before, again)
        assert verdict.level == "bit-identical", verdict
        assert verdict.same
