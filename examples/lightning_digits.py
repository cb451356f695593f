"""A small network on scikit-learn's digits with PyTorch Lightning: one callback, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`, `runlore restore NAME --artifact best --to .`
"""

import warnings
from tempfile import TemporaryDirectory

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, random_split

from runlore_lightning import RunloreCallback

warnings.filterwarnings("ignore", module="pytorch_lightning")


class Digits(pl.LightningModule):
    """One hidden layer."""

    def __init__(self, hidden: int = 32, lr: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """The loss of a batch."""
        loss = functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        """Loss and accuracy on held-out digits."""
        scores = self.layers(batch[0])
        self.log("val_loss", functional.cross_entropy(scores, batch[1]))
        self.log("val_acc", (scores.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def main() -> None:
    """Train with two learning rates."""
    images, labels = load_digits(return_X_y=True)
    whole = TensorDataset(torch.tensor(images / 16).float(), torch.tensor(labels))
    train, held_out = random_split(whole, [0.8, 0.2], torch.Generator().manual_seed(0))
    for lr in (1e-3, 1e-2):
        pl.seed_everything(0, verbose=False)
        with TemporaryDirectory() as folder:
            best = pl.callbacks.ModelCheckpoint(folder, monitor="val_acc", mode="max")
            trainer = pl.Trainer(
                max_epochs=5, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
                log_every_n_steps=10, callbacks=[best, RunloreCallback()],
            )  # fmt: skip
            trainer.fit(Digits(lr=lr), DataLoader(train, 32, shuffle=True), DataLoader(held_out, 256))
            print(f"lr {lr}: val_acc {best.best_model_score:.3f}")


if __name__ == "__main__":
    main()
