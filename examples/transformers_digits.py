"""A tiny vision transformer on scikit-learn's digits with transformers' Trainer: two lines, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`, `runlore restore NAME --artifact best --to .`
"""

from tempfile import TemporaryDirectory

import runlore

runlore.autolog()

import torch  # noqa: E402  # autolog works before and after an import
from sklearn.datasets import load_digits  # noqa: E402
from transformers import (  # noqa: E402
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    set_seed,
    utils,
)


class Digits(torch.utils.data.Dataset):
    """Images of 8 × 8 pixels."""

    def __init__(self, part: slice) -> None:
        digits = load_digits()
        self.images = torch.tensor(digits.images[part] / 16).float().unsqueeze(1)
        self.labels = torch.tensor(digits.target[part])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        return {"pixel_values": self.images[place], "labels": self.labels[place]}


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float((prediction.predictions.argmax(1) == prediction.label_ids).mean())}


def main() -> None:
    utils.logging.disable_progress_bar()
    for rate in (1e-3, 4e-3):
        set_seed(0)
        config = ViTConfig(
            image_size=8, patch_size=2, num_channels=1, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=64, num_labels=10,
        )  # fmt: skip
        with TemporaryDirectory() as folder:
            args = TrainingArguments(
                folder, num_train_epochs=5, learning_rate=rate, per_device_train_batch_size=32, logging_steps=20,
                eval_strategy="epoch", save_strategy="epoch", save_total_limit=2,
                metric_for_best_model="accuracy", use_cpu=True, disable_tqdm=True, report_to="none",
            )  # fmt: skip
            trainer = Trainer(
                ViTForImageClassification(config), args, train_dataset=Digits(slice(0, 1400)),
                eval_dataset=Digits(slice(1400, None)), compute_metrics=accuracy,
            )  # fmt: skip
            trainer.remove_callback(PrinterCallback)
            trainer.train()
            print(f"rate {rate}: accuracy {trainer.evaluate()['eval_accuracy']:.3f}")


if __name__ == "__main__":
    main()
