"""Numbers that a program prints: which lines count, what is read in them, and what is never taken."""

import math
from pathlib import Path

import pytest

from runlore import Store
from runlore.errors import SettingError
from runlore.programs.printed import MAX_NAMES, Printed, Row, wanted_forms
from tests.programs.test_recorded import run, top, work

__all__ = ["work"]
PLACED = [  # lines of well-known tutorials and libraries that name an epoch or a step
    ("epoch 3: loss 0.231 val_acc 91.2%", {"loss": 0.231, "val_acc": 91.2}, None, 3),
    ("Epoch [3/10], Loss: 0.5", {"loss": 0.5}, None, 3),
    ("Epoch [3/10], Step [100/600], Loss: 0.2310", {"loss": 0.231}, 100, 3),
    ("step=100 loss=0.3 lr=1e-4", {"loss": 0.3, "lr": 1e-4}, 100, None),
    ("Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.300039", {"loss": 2.300039}, None, 1),
    ("step 0: train loss 4.2874, val loss 4.2823", {"train_loss": 4.2874, "val_loss": 4.2823}, 0, None),
    ("iter 20: loss 10.9886, time 5000.11ms, mfu -100.00%", {"loss": 10.9886, "mfu": -100.0}, 20, None),
    ("Epoch: 01 | Train Loss: 3.1 | Val. PPL:  90.017", {"train_loss": 3.1, "val_ppl": 90.017}, None, 1),
    ("| epoch   1 |   200/ 2928 batches | lr 5.00 | ms/batch 11.80 | loss  8.19 | ppl  3613.52",
     {"lr": 5.0, "loss": 8.19, "ppl": 3613.52}, None, 1),
    ("Epoch: [0][  10/5005]\tTime  0.523 ( 1.284)\tLoss 6.91e+00 (6.93e+00)\tAcc@1   0.39 (  0.25)",
     {"loss": 6.91, "acc@1": 0.39}, None, 0),
    ("{'loss': 0.5, 'grad_norm': 1.25, 'learning_rate': 5e-05, 'epoch': 1.0}",
     {"loss": 0.5, "grad_norm": 1.25, "learning_rate": 5e-05}, None, 1.0),
    ('{"train_loss": 6.9, "test_acc1": 0.1, "epoch": 0, "n_parameters": 5717416}',
     {"train_loss": 6.9, "test_acc1": 0.1, "n_parameters": 5717416}, None, 0),
    ("[0]\ttrain-logloss:0.48275\teval-logloss:0.48311", {"train_logloss": 0.48275, "eval_logloss": 0.48311}, 0, None),
    ("[1]\tvalid_0's l2: 0.24\tvalid_0's auc: 0.76", {"valid_0_l2": 0.24, "valid_0_auc": 0.76}, 1, None),
    ("Epoch 3: 100%|██████████| 938/938 [00:12<00:00, 75.31it/s, loss=0.231, v_num=0]",
     {"loss": 0.231, "v_num": 0.0}, None, 3),
    ("Epoch: 020, Loss: 1.9103, Train: 0.5, Val: 0.44", {"loss": 1.9103, "train": 0.5, "val": 0.44}, None, 20),
    ("2026-11-29 17:00:00,123 INFO train.py:45 - epoch=1 loss=0.5", {"loss": 0.5}, None, 1),
    ("INFO:root:epoch 2 loss: -0.5.", {"loss": -0.5}, None, 2),
    ("Epoch 7, loss: inf, lr: .1", {"loss": math.inf, "lr": 0.1}, None, 7),
    ("global step 5 accuracy: 3/4 (75%)", {"accuracy": 75.0}, 5, None),
]  # fmt: skip
RECURRING = [
    ("[1,  2000] loss: 2.173", {"loss": 2.173}),
    ("loss: 2.303494  [   64/60000]", {"loss": 2.303494}),
    (" Accuracy: 50.9%, Avg loss: 2.149347 ", {"accuracy": 50.9, "avg_loss": 2.149347}),
    ("Test set: Average loss: 0.0481, Accuracy: 9850/10000 (98%)", {"average_loss": 0.0481, "accuracy": 98.0}),
    ("1875/1875 ━━━━━━━━━━━━━━━━━━━━ 4s 2ms/step - accuracy: 0.8 - loss: 0.5", {"accuracy": 0.8, "loss": 0.5}),
]
REFUSED = """
Epoch 3
Epoch 1/5
Epoch: 100%|██████████| 10/10 [00:00<00:00, 99.1it/s]
Training: 45%|████▌     | 4/9 [00:01<00:01,  3.96it/s]
Downloading: 45%
Epochs: 10
epoch 3 took 12.3s
epoch 3 done in 4.5 s
Epoch 3: time: 12.3 s, memory: 5.2 GB
step 3 of 10: 2 files written
Accuracy of the network on the 10000 test images: 55 %
2026-11-29 17:00:00 listening on http://localhost:8080
  File "/work/train.py", line 45, in main
step 5: version: 1.2.3, at: 12:30, day: 2026-11-29, tokens: 1,234, at 127.0.0.1:8080
epoch 1: shape=(3, 4) lr=[0.1, 0.2] hex=0x1f frac=3/10 name=7b
epoch 1: password=123456 api_key=99887766
epoch 1: seed=42 rank: 0 eta: 12
""".strip().splitlines()


def known() -> Printed:
    forms = wanted_forms(True, ())
    assert forms is not None
    return Printed(forms)


@pytest.mark.parametrize(("line", "values", "step", "epoch"), PLACED)
def test_a_line_that_names_epoch_or_step_counts(
    line: str, values: dict[str, float], step: int | None, epoch: float | None
) -> None:
    assert list(known().rows_of(line + "\n")) == [Row(values, step, epoch)]


@pytest.mark.parametrize(("line", "values"), RECURRING)
def test_another_line_counts_once_its_form_has_come_twice(line: str, values: dict[str, float]) -> None:
    printed = known()
    assert list(printed.rows_of(line)) == []
    assert list(printed.rows_of("something else: 3")) == []
    assert list(printed.rows_of(line)) == [Row(values, None, None)] * 2
    assert list(printed.rows_of(line)) == [Row(values, None, None)]


@pytest.mark.parametrize("line", REFUSED)
def test_what_may_be_something_else_is_not_taken(line: str) -> None:
    printed = known()
    assert [row for _ in range(3) for row in printed.rows_of(line)] == []


def test_a_step_that_begins_anew_replaces_nothing() -> None:
    printed = known()
    lines = [f"epoch {epoch} step {step} loss: {epoch}.{step}" for epoch in (1, 2) for step in (10, 20)]
    rows = [row for line in lines for row in printed.rows_of(line)]
    assert [row.step for row in rows] == [10, 20, None, None]
    assert [row.epoch for row in rows] == [1, 1, 2, 2]
    assert [row.step for row in printed.rows_of("step 22 loss: 1")] == [None], "21 and 22 were given meanwhile"
    assert [row.step for row in printed.rows_of("step 90 loss: 1")] == [90]


def test_names_are_not_without_number() -> None:
    printed = known()
    rows = [row for n in range(MAX_NAMES + 9) for row in printed.rows_of(f"epoch {n} loss_{n}: 1 loss_0: {n}")]
    assert len(printed.names) == MAX_NAMES
    assert rows[-1].values == {"loss_0": MAX_NAMES + 8}


def test_a_pattern_names_its_metrics() -> None:
    forms = wanted_forms(False, [r"^E(?P<epoch>\d+) \S+ (?P<loss>\S+)/(?P<acc>\S+)", r"(?P<key>m\w)~(?P<value>\S+)"])
    assert forms is not None
    printed = Printed(forms)
    assert list(printed.rows_of("E3 got 0.5/91%")) == [Row({"loss": 0.5, "acc": 91.0}, None, 3.0)]
    assert list(printed.rows_of("ma~1e-3 mb~2 mc~none")) == [Row({"ma": 1e-3}, None, None), Row({"mb": 2}, None, None)]
    assert list(printed.rows_of("epoch 1 loss: 0.5")) == [], "the known forms were not asked for"


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"loss (\d+", r"'loss \(\\\\d\+' is no regular expression: missing \)"),
        (r"loss (\d+)", r"'loss \(\\\\d\+\)' names no metric: write"),
        (r"(?P<step>\d+)", "names no metric"), (r"(?P<key>\w+)", "names no metric"),
    ],
)  # fmt: skip
def test_a_bad_pattern_is_named(pattern: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=told):
        wanted_forms(False, [pattern])
    monkeypatch.setenv("RUNLORE_PARSE_OUTPUT", pattern)
    with pytest.raises(SettingError, match=told):
        wanted_forms(False, ())


def test_nothing_is_parsed_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted_forms(False, ()) is None
    monkeypatch.setenv("RUNLORE_PARSE_OUTPUT", "0")
    assert wanted_forms(False, ()) is None
    monkeypatch.setenv("RUNLORE_PARSE_OUTPUT", "1")
    assert wanted_forms(False, ()) == (True, ())


LOOP = """
import sys
for epoch in range(3):
    print(f"epoch {epoch}: loss {1 / (epoch + 1):.4f}", flush=True)
    print(f"acc~{epoch}", file=sys.stderr)
sys.stdout.write("epoch 3: loss 0.25")
"""


def test_printed_numbers_are_metrics_of_the_program(store: Store, work: Path) -> None:
    (work / "loop.py").write_text(LOOP)
    done = run(work, "--parse-output", "--parse-pattern", r"acc~(?P<acc>\d+)", "loop.py")
    assert done.stdout == "epoch 0: loss 1.0000\nepoch 1: loss 0.5000\nepoch 2: loss 0.3333\nepoch 3: loss 0.25"
    found = top(store)
    assert found.metrics["loss"].values.tolist() == [1.0, 0.5, 0.3333, 0.25]
    assert found.metrics["loss"].epochs.tolist() == [0, 1, 2, 3]
    assert found.metrics["acc"].last == 2
    assert (found.status, found.missing) == ("finished", [])


@pytest.mark.stress
def test_without_the_option_no_number_is_a_metric(store: Store, work: Path) -> None:
    (work / "loop.py").write_text(LOOP)
    run(work, "loop.py")
    assert not [key for key in top(store).metrics if not key.startswith("system/")]


@pytest.mark.stress
def test_a_bad_pattern_starts_no_program(store: Store, work: Path) -> None:
    done = run(work, "--parse-pattern", "(", "train.py", status=2)
    assert "'(' is no regular expression" in done.stderr
    assert not done.stdout


@pytest.mark.stress
def test_a_printed_number_is_not_mixed_with_what_the_training_records(store: Store, work: Path) -> None:
    script = (work / "train.py").read_text() + "\nfor e in range(2): print(f'epoch {e} NAME: 7')\n"
    for name, count in (("train_score", 2), ("other", 1)):
        (work / "own.py").write_text(script.replace("NAME", name))
        run(work, "--name", name, "--parse-output", "own.py")
        found = store.run(name)
        assert found.metrics[name].last == 7
        assert len(store.runs(f"id == '{found.id}' or parent == '{found.id}'")) == count
