"""LightningCLI takes callback and logger by their class path, and its own settings are no hyperparameters."""

from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from tests.lightning.models import Tiny, data, only, pl

pytest.importorskip("jsonargparse")
BASE = ["fit", "--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
QUIET = ["--trainer.enable_model_summary=false", "--trainer.enable_checkpointing=false", "--model.depth=3"]


class Data(pl.LightningDataModule):  # type: ignore[misc,name-defined]
    def train_dataloader(self) -> Any:
        return data(2)


def run_command_line(*arguments: str) -> None:
    from pytorch_lightning.cli import LightningCLI

    LightningCLI(Tiny, Data, args=[*BASE, *QUIET, *arguments], seed_everything_default=False)


@pytest.mark.parametrize(
    "how", [["--trainer.logger=runlore_lightning.RunloreLogger"],
            ["--trainer.logger=false", "--trainer.callbacks+=runlore_lightning.RunloreCallback"]]
)  # fmt: skip
def test_a_class_path_is_taken(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: list[str]) -> None:
    """Both were refused: they did not look like classes of Lightning's."""
    monkeypatch.chdir(tmp_path)
    own = how[-1].partition("=")[0].removesuffix("+")
    run_command_line(*how, f"{own}.name=first", f"{own}.experiment=digits", f"{own}.tags={{team: vision}}")
    run = only(store)
    assert (run.name, run.experiment, run.tags["team"], run.status) == ("first", "digits", "vision", "finished")
    assert (run.params["depth"], run.params["lr"]) == (3, 0.1)
    assert not any(name.startswith("_") for name in run.params)


def test_two_command_lines_with_our_logger_share_no_folder(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lightning refuses to write its `config.yaml` over another one."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run_command_line("--trainer.logger=runlore_lightning.RunloreLogger", f"--trainer.default_root_dir={tmp_path}")
    names = {run.name for run in store.runs()}
    assert {path.parent.name for path in (tmp_path / "runlore").glob("*/config.yaml")} == names
