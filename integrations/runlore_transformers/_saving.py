"""What `save_model` writes behind a training: one artifact of many files."""

from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions
from runlore_transformers._recording import Training

KEPT = 100 << 20  # bytes of a model that are kept


class Saving:
    """A call of `save_model`: what lies in the folder before is none of its files, unless it is written again."""

    def __init__(self, trainer: Any, folder: Any) -> None:
        self._training = Training.of(trainer) if trainer.args.should_save else None
        self._folder = Path(folder or trainer.args.output_dir)
        self._before = self._files() if self._training is not None else {}

    def _files(self) -> dict[Path, tuple[int, int]]:
        """The files in the folder itself, with size and time: checkpoints lie in folders of their own below it."""
        if not self._folder.is_dir():
            return {}
        found = {path: path.stat() for path in sorted(self._folder.iterdir()) if path.is_file()}
        return {path: (item.st_size, item.st_mtime_ns) for path, item in found.items()}

    @guest.harmless
    def record(self) -> None:
        """It returned."""
        training = self._training
        if training is None or not training.session:
            return
        written = [path for path, state in self._files().items() if self._before.get(path) != state]
        if written:
            additions = Additions(training.session.run)
            additions.files(self._folder, written, kind="model", most=KEPT, step=training.step)
            additions.close()
