"""Params: arguments, model, configuration, adapters, quantisation, tokenizer."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import Rows, arguments, model, only, trainer


@pytest.mark.shows("transformers", "params")
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


def test_an_attribute_named_module_wraps_nothing(store: Store, tmp_path: Path) -> None:
    """Any attribute `module` was taken for the model in a wrapper for several devices."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = torch.nn.Embedding(60, 4)
            self.head = torch.nn.Linear(4, 2)

        def forward(self, input_ids: Any, labels: Any) -> Any:
            scores = self.head(self.module(input_ids).mean(1))
            return {"loss": torch.nn.functional.cross_entropy(scores, labels), "logits": scores}

    trainer(tmp_path, RunloreCallback(), model=Net()).train()
    assert (only(store).params["model.class"], only(store).params["model.parameters"]) == ("Net", 250)


def test_long_lists_of_labels_are_counted_wherever_they_stand(store: Store, tmp_path: Path) -> None:
    """Only labels at the top of a configuration were counted, nested ones were listed."""
    made = trainer(tmp_path, RunloreCallback())
    made.model.config.encoder = {"id2label": {str(number): "x" for number in range(1000)}}
    made.train()
    assert only(store).params["model.encoder.id2label"] == "1000 labels"


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


def test_arguments_that_were_written_are_told_from_defaults(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, RunloreCallback(), weight_decay=0.25, eval_strategy="steps").train()
    run = only(store)
    assert set(run.params) - run.captured == {
        "output_dir", "max_steps", "per_device_train_batch_size", "logging_steps", "save_strategy", "seed", "use_cpu",
        "learning_rate", "weight_decay", "eval_strategy",
        "model.vocab_size", "model.hidden_size", "model.num_hidden_layers", "model.num_attention_heads",
        "model.intermediate_size", "model.max_position_embeddings",
    }  # fmt: skip


def test_a_configuration_that_a_model_was_loaded_with_is_captured(store: Store, tmp_path: Path) -> None:
    model().save_pretrained(tmp_path / "saved")
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    trainer(tmp_path, RunloreCallback(), model=loaded).train()
    run = only(store)
    assert {key for key in run.params.keys() - run.captured if key.startswith("model.")} == set()


def test_adapters_tell_what_was_written(store: Store, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model(), LoraConfig(r=2, target_modules={"query"}))
    trainer(tmp_path, RunloreCallback(), model=adapted).train()
    run = only(store)
    assert {key for key in run.params.keys() - run.captured if key.startswith("peft.")} == {
        "peft.r", "peft.target_modules",
    }  # fmt: skip


class Discriminating(transformers.Trainer):
    """Trains the head at a rate of its own."""

    names = True

    def create_optimizer(self, *_: Any, **__: Any) -> Any:
        head = list(self.model.classifier.parameters())
        rest = [item for name, item in self.model.named_parameters() if not name.startswith("classifier")]
        own = {"params": head, "lr": 0.5, "weight_decay": 0.25, "name": "head"}
        groups: list[dict[str, Any]] = [{"params": rest, "name": "body"}, own]
        if not self.names:
            for group in groups:
                del group["name"]
        self.optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.5)
        return self.optimizer


@pytest.mark.parametrize("names", [["body", "head"], ["0", "1"]])
def test_each_group_of_parameters_is_told_with_its_rates(store: Store, tmp_path: Path, names: list[str]) -> None:
    """The arguments' rate stood for all of them, also where none of them had it."""
    made = type("Named", (Discriminating,), {"names": names[0] == "body"})
    trainer(tmp_path, RunloreCallback(), cls=made, max_steps=4, logging_steps=2).train()
    run = only(store)
    params = {key: value for key, value in run.params.items() if key.startswith("optimizer.")}
    assert (params["optimizer.name"], params["optimizer.momentum"]) == ("SGD", 0.5)
    assert "optimizer.lr" not in params
    assert [params[f"optimizer.groups.{name}.lr"] for name in names] == [0.01, 0.5]
    assert [params[f"optimizer.groups.{name}.weight_decay"] for name in names] == [0, 0.25]
    rates = [run.metrics[f"learning_rate/{name}"] for name in names]
    assert rates[0].values.tolist() == run.metrics["learning_rate"].values.tolist()
    assert rates[1].values.tolist() == [pytest.approx(50 * rate) for rate in rates[0].values]
    assert rates[1].steps.tolist() == [2, 4]


def test_an_optimizer_of_the_users_is_told_as_it_is(store: Store, tmp_path: Path) -> None:
    net = model()
    optimizers = torch.optim.SGD(net.parameters(), lr=0.25), None
    made = transformers.Trainer(net, arguments(tmp_path), train_dataset=Rows(), optimizers=optimizers)
    made.add_callback(RunloreCallback())
    made.train()
    params = only(store).params
    assert (params["optimizer.name"], params["optimizer.lr"], params["scheduler.name"]) == ("SGD", 0.25, "LambdaLR")
    assert not [key for key in only(store).metrics if key.startswith("learning_rate/")]


def test_the_arguments_name_run_and_experiment(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own names for both were params only."""
    trainer(tmp_path / "a", RunloreCallback(), run_name="warm", project="digits").train()
    trainer(tmp_path / "b", RunloreCallback("mine", experiment="own"), run_name="warm", project="digits").evaluate()
    trainer(tmp_path / "c", RunloreCallback()).train()
    monkeypatch.setenv("RUNLORE_EXPERIMENT", "set")
    trainer(tmp_path / "d", RunloreCallback(), run_name="warm", project="digits").train()
    found = [(run.name, run.experiment) for run in store.runs(sort="id")]
    assert found[:2] == [("warm", "digits"), ("mine", "own")]
    assert found[2][1] == "default"
    assert found[3] == ("warm", "set")
