"""What a Trainer leaves behind: metrics by split, the summary, params, data, the end; and what it leaves alone."""

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, T5Config, T5ForConditionalGeneration, Trainer

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from tests.process import Process
from tests.transformers.models import At, Rows, model, only, trainer

Python = Callable[..., Process]

# One run (H1, H7)


@pytest.mark.parametrize("how", ["callback", "class", "autolog", "both"])
def test_a_training_is_one_run(store: Store, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    given: dict[str, list[Any]] = {
        "callback": [RunloreCallback("mine")],
        "class": [RunloreCallback],
        "autolog": [],
        "both": [RunloreCallback("mine")],
    }
    with runlore.autolog("transformers") if how in ("autolog", "both") else runlore.autolog("sklearn"):
        trainer(tmp_path, *given.get(how, [RunloreCallback("mine")])).train()
    run = only(store)
    assert run.metrics["loss"].steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert (run.status, run.name == "mine") == ("finished", how in ("callback", "both"))
    assert "there is already one" not in caplog.text


def test_autolog_is_an_entry_of_its_own_and_goes_again() -> None:
    defaults = transformers.trainer.DEFAULT_CALLBACKS
    before = list(defaults)
    with runlore.autolog("transformers"), runlore.autolog("transformers"):
        (added,) = [item for item in defaults if item not in before]
        assert not issubclass(added, RunloreCallback)
        assert not issubclass(RunloreCallback, added)
        assert not issubclass(added, transformers.trainer_callback.ExportableState)
    assert transformers.trainer.DEFAULT_CALLBACKS is defaults
    assert defaults == before


REVERSED = """
import runlore
if {early}:
    enabled = runlore.autolog("transformers", "keras")
import transformers.trainer, keras
from transformers import Trainer
names = ("train", "evaluate", "predict", "hyperparameter_search", "save_model")
lists = keras.callbacks.CallbackList
fits = next(cls for cls in keras.Model.__mro__ if "fit" in vars(cls))
def found():
    return [vars(Trainer)[name] for name in names] + [vars(fits)["fit"], vars(lists)["on_train_begin"]]
with runlore.autolog("transformers", "keras"):
    inside = found()
if {early}:
    enabled.disable()
before = found()
assert [getattr(item, "__wrapped__", None) for item in inside] == before, (inside, before)
with runlore.autolog("transformers", "keras"):
    assert found() != before
after = found()
assert all(old is new for old, new in zip(before, after))
assert len(transformers.trainer.DEFAULT_CALLBACKS) == 1
"""


@pytest.mark.parametrize("early", [True, False])
def test_disabling_puts_the_very_functions_back(python: Python, early: bool) -> None:
    python(REVERSED.format(early=early), KERAS_BACKEND="torch").succeed()


def test_making_a_trainer_writes_nothing(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("transformers"):
        for number in range(3):
            trainer(tmp_path / str(number), RunloreCallback())
    assert not store.exists


def test_a_trainer_made_under_autolog_is_silent_when_it_is_off(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("transformers"):
        made = trainer(tmp_path)
    made.train()
    assert len(store.runs()) == 0


def test_a_second_training_is_a_second_run(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    made.train()
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert [run.metrics["loss"].count for run in (first, second)] == [6, 6]


def test_two_trainers_alive_at_once_have_their_own_runs(store: Store, tmp_path: Path) -> None:
    shared = RunloreCallback()
    first, second = trainer(tmp_path / "a", shared, learning_rate=0.5), trainer(tmp_path / "b", shared)
    second.train()
    first.train()
    first.evaluate()
    second.evaluate()
    runs = store.runs(sort="id")
    assert [run.params["learning_rate"] for run in runs] == [0.001, 0.5]
    assert [run.metrics["eval_loss"].count for run in runs] == [1, 1]


def test_a_trainer_inside_anothers_training_is_a_part(store: Store, tmp_path: Path) -> None:
    shared = RunloreCallback()
    inner = trainer(tmp_path / "b", shared, max_steps=20)

    def act() -> None:
        inner.train()
        inner.evaluate()

    trainer(tmp_path / "a", shared, At(3, act)).train()
    assert only(store).metrics["loss"].count == 6
    assert "eval_loss" not in only(store).metrics


# Metrics (H2)


def test_numbers_go_by_split_and_none_is_counted_twice(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=2)
    result = made.train()
    run = only(store)
    history = made.state.log_history
    for name in ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_runtime"):
        told = [(item["step"], item[name]) for item in history if name in item]
        series = run.metrics[name]
        assert list(zip(series.steps.tolist(), series.values.tolist(), strict=True)) == told
        assert series.split == ("eval" if name.startswith("eval_") else "train")
    assert run.metrics["loss"].epochs.tolist() == [item["epoch"] for item in history if "loss" in item]
    assert not [name for name in run.metrics if name.startswith("train_") or name in ("epoch", "total_flos")]
    assert run.summary["train_loss"] == result.metrics["train_loss"]
    assert {"train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"} <= set(run.summary)


def test_several_eval_sets_are_kept_apart(store: Store, tmp_path: Path) -> None:
    sets = {"easy": Rows(4), "hard": Rows(8)}
    trainer(tmp_path, RunloreCallback(), eval_dataset=sets, eval_strategy="steps", eval_steps=3).train()
    run = only(store)
    assert run.metrics["eval_easy_loss"].steps.tolist() == run.metrics["eval_hard_loss"].steps.tolist() == [3, 6]
    assert run.metrics["eval_easy_loss"].values.tolist() != run.metrics["eval_hard_loss"].values.tolist()
    assert (run.data["eval_easy"]["rows"], run.data["eval_hard"]["rows"]) == (4, 8)


def test_what_is_evaluated_and_predicted_behind_a_training_is_added(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    told = made.evaluate()
    predicted = made.predict(Rows(5)).metrics
    other = made.evaluate(Rows(3))
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == [told["eval_loss"]]
    assert run.metrics["eval_loss"].steps.tolist() == [6]
    assert run.metrics["eval_loss/eval_2"].values.tolist() == [other["eval_loss"]]
    assert (run.metrics["test_loss"].split, run.metrics["test_loss"].last) == ("test", predicted["test_loss"])
    assert run.status == "finished"


def test_an_evaluation_of_the_best_model_has_its_step(store: Store, tmp_path: Path) -> None:
    made = trainer(
        tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=2,
        load_best_model_at_end=True, metric_for_best_model="loss", greater_is_better=True,
    )  # fmt: skip
    made.train()
    best = made.state.best_global_step
    told = made.evaluate()
    run = only(store)
    assert run.metrics["eval_loss"].steps.tolist() == [2, 4, 6]
    assert dict(zip([2, 4, 6], run.metrics["eval_loss"].values, strict=True))[best] == told["eval_loss"]


def test_an_evaluation_alone_is_a_run_of_its_own(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("transformers"):
        told = trainer(tmp_path, eval_dataset={"a": Rows(4), "b": Rows(5)}).evaluate()
    run = only(store)
    assert (run.status, run.tags["purpose"]) == ("finished", "evaluation")
    assert run.metrics["eval_a_loss"].last == told["eval_a_loss"]
    assert run.metrics["eval_b_loss"].last == told["eval_b_loss"]
    assert run.params["model.hidden_size"] == 16


def test_a_failing_evaluation_says_so(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    first = only(store)
    with pytest.raises(TypeError):
        made.predict(5)
    assert only(store).status == first.status == "finished"


# The end (H5)


def test_an_exception_fails_the_run_and_reaches_the_caller(store: Store, tmp_path: Path) -> None:
    error = ValueError("no more")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="no more") as caught:
        trainer(tmp_path, RunloreCallback(), At(3, fail)).train()
    assert caught.value is error
    run = only(store)
    assert (run.status, run.error["type"], run.metrics["loss"].count) == ("failed", "ValueError", 2)


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_training_says_so(store: Store, tmp_path: Path, how: type[BaseException]) -> None:
    def stop() -> None:
        raise how

    with pytest.raises(how):
        trainer(tmp_path, RunloreCallback(), At(3, stop)).train()
    assert only(store).status == ("interrupted" if how is KeyboardInterrupt else "finished")


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_end", "on_save", "on_log"])
@pytest.mark.parametrize("first", [True, False])
def test_a_failure_in_any_hook_fails_the_run(store: Store, tmp_path: Path, hook: str, first: bool) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError(hook)

    if first and hook == "on_train_begin":
        pytest.skip("training has not begun for us, so there is no run yet")
    failing = type("Failing", (transformers.TrainerCallback,), {hook: fail})()
    callbacks = [failing, RunloreCallback()] if first else [RunloreCallback(), failing]
    with pytest.raises(ValueError, match=hook):
        trainer(tmp_path, *callbacks, save_strategy="steps", save_steps=2).train()
    run = only(store)
    assert (run.status, run.error["message"]) == ("failed", hook)


def test_early_stopping_finishes_with_its_reason(store: Store, tmp_path: Path) -> None:
    stopping = transformers.EarlyStoppingCallback(early_stopping_patience=1, early_stopping_threshold=9.0)
    trainer(
        tmp_path, RunloreCallback(), stopping, eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1,
        load_best_model_at_end=True, metric_for_best_model="loss", max_steps=20,
    ).train()  # fmt: skip
    run = only(store)
    assert run.status == "finished"
    assert run.tags["stopped"].endswith("loss did not improve for 1 evaluations")


class Hungry(Trainer):
    """Runs out of memory while a batch has more than two rows, in its third step."""

    def training_step(self, net: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if len(inputs["labels"]) > 2 and self.state.global_step >= 3:
            raise RuntimeError("CUDA out of memory.")
        return super().training_step(net, inputs, *args, **kwargs)


def test_a_batch_that_does_not_fit_begins_again_in_the_same_run(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), cls=Hungry, auto_find_batch_size=True, max_steps=8, logging_steps=2)
    made.train()
    run = only(store)
    size = made._train_batch_size
    assert (run.status, size <= 2) == ("finished", True)
    assert run.metrics["loss"].steps.tolist() == [2, 4, 6, 8]
    told = [item["loss"] for item in made.state.log_history if "loss" in item]
    assert run.metrics["loss"].values.tolist() == told
    assert run.params["retried_with_batch_size"] == size
    assert f"begun again with a batch size of {size}" in run.notes
    assert run.params["learning_rate"] == 0.001


# Params and data (H6)


def test_params_tell_how_everything_was_set(store: Store, tmp_path: Path) -> None:
    secret = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"
    trainer(tmp_path, RunloreCallback(), weight_decay=0.25, hub_token=secret).train()
    run = only(store)
    expected = {
        "learning_rate": 0.001, "weight_decay": 0.25, "max_steps": 6, "per_device_train_batch_size": 4, "seed": 3,
        "model.class": "BertForSequenceClassification", "model.hidden_size": 16, "model.model_type": "bert",
        "optimizer.name": "AdamW", "scheduler.name": "LambdaLR",
    }  # fmt: skip
    assert {name: run.params.get(name) for name in expected} == expected
    counts = [item.numel() for item in model().parameters()]
    assert run.params["model.parameters"] == run.params["model.trainable_parameters"] == sum(counts)
    for path in store.root.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_adapters_are_told_although_their_settings_hold_sets(store: Store, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, target_modules={"query", "value"}, lora_dropout=0.5)
    adapted = get_peft_model(model(), config)
    trainer(tmp_path, RunloreCallback(), model=adapted).train()
    run = only(store)
    assert (run.status, run.params["peft.r"], run.params["peft.lora_dropout"]) == ("finished", 2, 0.5)
    assert run.params["peft.target_modules"] == ["query", "value"]
    assert run.params["model.trainable_parameters"] < run.params["model.parameters"]
    assert run.missing == []


class Unserializable:
    """Stands for a quantisation's settings that can't be told."""

    quant_method = "none"

    def to_dict(self) -> Any:
        raise ValueError("can't be told")


def test_a_config_that_can_not_be_told_costs_only_itself(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.model.config.odd = Unserializable()
    made.model.config.quantization_config = Unserializable()
    made.train()
    run = only(store)
    assert (run.status, run.params["learning_rate"]) == ("finished", 0.001)
    assert run.params["model.class"] == "BertForSequenceClassification"
    assert ["can't be told" in item["why"] for item in run.missing] == [True]


def test_the_settings_of_a_quantisation_are_told(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.model.config.quantization_config = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    made.train()
    assert only(store).params["quantization.load_in_4bit"] is True


def test_a_tokenizer_is_told(store: Store, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0, "word": 1}, "[UNK]")), model_max_length=77, pad_token="[UNK]"
    )
    made = trainer(tmp_path, RunloreCallback())
    made.processing_class = tokenizer
    made.data_collator = transformers.default_data_collator
    made.train()
    params = only(store).params
    assert (params["tokenizer.model_max_length"], params["tokenizer.vocab_size"]) == (77, 2)


def test_a_table_has_the_fingerprint_of_its_library(store: Store, tmp_path: Path) -> None:
    from datasets import Dataset

    def table(count: int) -> Any:
        rows = Rows(count)
        return Dataset.from_dict({"input_ids": rows.words.tolist(), "labels": [0, 1] * (count // 2)})

    for count in (8, 8, 10):
        made = trainer(tmp_path, RunloreCallback(), max_steps=1)
        made.train_dataset = table(count)
        made.train()
    third, second, first = (run.data["train"] for run in store.runs())
    assert first["fingerprint"] == second["fingerprint"] != third["fingerprint"]
    assert (first["rows"], first["columns"], third["rows"]) == (8, ["input_ids", "labels"], 10)


class Endless(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        for row in Rows(64):
            self.taken += 1
            yield row


def test_a_stream_is_consumed_as_without_us(store: Store, tmp_path: Path) -> None:
    taken = []
    for callbacks in ([], [RunloreCallback()]):
        made = trainer(tmp_path, *callbacks)
        made.train_dataset = Endless()
        made.train()
        taken.append(made.train_dataset.taken)
    assert taken[0] == taken[1]
    assert only(store).data["train"]["kind"].endswith("Endless")


# Left alone (G1, H8)


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_weights_and_states_are_bit_identical(store: Store, tmp_path: Path, how: str) -> None:
    settings = {"save_strategy": "steps", "save_steps": 3, "eval_strategy": "steps", "eval_steps": 3}

    def facts(folder: Path, *callbacks: Any) -> tuple[Any, Any, Any]:
        made = trainer(folder, *callbacks, **settings)
        made.train()
        weights = [item.detach().numpy().tobytes() for item in made.model.parameters()]
        state = json.loads((folder / "checkpoint-6" / "trainer_state.json").read_text())
        history = [
            {k: v for k, v in item.items() if "_per_second" not in k and "runtime" not in k}
            for item in state.pop("log_history")
        ]
        return weights, {**state, "history": history}, sorted(path.name for path in folder.rglob("*"))

    plain = facts(tmp_path / "a")
    with runlore.autolog("transformers") if how == "autolog" else runlore.autolog("sklearn"):
        recorded = facts(tmp_path / "b", *([RunloreCallback()] if how == "callback" else []))
    assert recorded == plain
    assert len(store.runs()) == 1


def test_a_deleted_output_folder_costs_what_it_costs_without_us(store: Store, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "out"
    made = trainer(
        folder, RunloreCallback(), At(3, lambda: shutil.rmtree(folder)), save_strategy="steps", save_steps=2
    )  # fmt: skip
    made.train()
    run = only(store)
    assert run.status == "finished"
    assert {item.name: item.present for item in run.artifacts if item.kind == "checkpoint"} == {
        "checkpoint-2": False, "checkpoint-4": True, "checkpoint-6": True,
    }  # fmt: skip


def test_callbacks_can_be_pickled(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, pickle.loads(pickle.dumps(RunloreCallback("named")))).train()
    assert only(store).name == "named"


def test_bad_options_are_told_at_once() -> None:
    with pytest.raises(TypeError, match="tags is 'vision'"):
        RunloreCallback(tags="vision")  # type: ignore[arg-type]


# Other Trainers


def test_seq2seq_trainers_are_recorded(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=60, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, pad_token_id=0
    )
    rows = [{"input_ids": item["input_ids"], "labels": item["input_ids"]} for item in Rows(8)]
    args = Seq2SeqTrainingArguments(
        str(tmp_path), max_steps=3, logging_steps=1, use_cpu=True, disable_tqdm=True, save_strategy="no",
        predict_with_generate=True, generation_max_length=4, report_to="none",
    )  # fmt: skip
    with runlore.autolog("transformers"):
        made = Seq2SeqTrainer(T5ForConditionalGeneration(config), args, train_dataset=rows, eval_dataset=rows)
        made.train()
        made.evaluate(max_length=4)
    run = only(store)
    assert (run.metrics["loss"].count, run.metrics["eval_loss"].steps.tolist()) == (3, [3])
    assert run.params["predict_with_generate"] is True


def test_trainers_of_trl_are_recorded(store: Store, tmp_path: Path) -> None:
    from datasets import Dataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from trl import SFTConfig, SFTTrainer

    words = {word: place for place, word in enumerate(["<pad>", "<eos>", "<unk>", "a", "b", "c"])}
    inner = Tokenizer(WordLevel(words, "<unk>"))
    inner.pre_tokenizer = Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    config = transformers.LlamaConfig(
        vocab_size=6, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=32,
    )  # fmt: skip
    args = SFTConfig(
        str(tmp_path), max_steps=3, logging_steps=1, use_cpu=True, disable_tqdm=True, save_strategy="no",
        report_to="none", bf16=False, max_length=16,
    )  # fmt: skip
    with runlore.autolog("transformers"):
        made = SFTTrainer(
            transformers.LlamaForCausalLM(config), args, processing_class=tokenizer,
            train_dataset=Dataset.from_dict({"text": ["a b c", "c b a"] * 4}),
        )  # fmt: skip
        made.train()
    run = only(store)
    assert (run.status, run.metrics["loss"].steps.tolist()) == ("finished", [1, 2, 3])
    assert "mean_token_accuracy" in run.metrics
    assert run.params["max_length"] == 16
