"""A tiny model built from a configuration, data that is generated, Trainers that write little, and a loop."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch  # noqa: E402  # the variables are read when transformers is imported
import transformers  # noqa: E402
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments  # noqa: E402

from runlore import Store  # noqa: E402

ROOT = str(Path(__file__).parent.parent.parent)
SAVING = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}

# A loop of the user's with accelerate: how the tracker is named, how the loop ends, how many processes there are
LOOP = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
from accelerate import Accelerator
from runlore_transformers import RunloreTracker

how, ending = sys.argv[1], sys.argv[2]
log_with = RunloreTracker("digits", run_name="looped") if how == "object" else "runlore"
accelerator = Accelerator(cpu=True, log_with=log_with)
assert accelerator.num_processes == int(sys.argv[3])
accelerator.init_trackers("digits", config={"lr": 0.1, "net": "linear"})
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net, optimizer = accelerator.prepare(net, optimizer)
for step in range(4):
    loss = net(torch.ones(2, 3)).pow(2).mean()
    accelerator.backward(loss)
    optimizer.step()
    accelerator.log({"loss": loss, "phase": "warm"} if step == 0 else {"loss": loss.item()}, step=step)
    if step == 2 and ending == "fail":
        raise ValueError("no more")
if ending == "none":
    accelerator.end_training()
"""


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Words whose sum is even or odd."""

    def __init__(self, count: int = 24) -> None:
        self.words = torch.randint(5, 50, (count, 8), generator=torch.Generator().manual_seed(count))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return {"input_ids": self.words[place], "labels": self.words[place].sum() % 2}


def model(*_: Any) -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, hidden_dropout_prob=0.1,
    )  # fmt: skip
    return BertForSequenceClassification(config)


def arguments(folder: Path, **settings: Any) -> Any:
    usual = {
        "max_steps": 6, "per_device_train_batch_size": 4, "logging_steps": 1, "save_strategy": "no", "seed": 3,
        "use_cpu": True, "disable_tqdm": True, "report_to": "none", "learning_rate": 1e-3,
    }  # fmt: skip
    return TrainingArguments(str(folder), **{**usual, **settings})


def trainer(folder: Path, *callbacks: Any, cls: Any = Trainer, **settings: Any) -> Any:
    own = {name: settings.pop(name) for name in list(settings) if name in ("model", "model_init", "eval_dataset")}
    own = {"train_dataset": Rows(), "eval_dataset": Rows(8), **own}
    if "model_init" not in own:
        own.setdefault("model", model())
    made = cls(args=arguments(folder, **settings), callbacks=list(callbacks), **own)
    made.remove_callback(transformers.PrinterCallback)
    return made


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run


def saved(run: Any) -> list[Any]:
    """The checkpoints in the order of their steps."""
    return sorted((item for item in run.artifacts if item.kind == "checkpoint"), key=lambda item: item.step)


class At(transformers.TrainerCallback):
    """Acts at the end of a step."""

    def __init__(self, step: int, action: Any) -> None:
        self.step = step
        self.action = action

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            self.action()


class OwnEvaluate(Trainer):
    """A Trainer that evaluates by itself, as in examples of question answering."""

    def evaluate(self, eval_dataset: Any = None, *_: Any, **__: Any) -> dict[str, float]:  # type: ignore[override]
        output = self.evaluation_loop(self.get_eval_dataloader(eval_dataset), "Evaluation", metric_key_prefix="eval")
        self.log(output.metrics)
        return dict(output.metrics)
