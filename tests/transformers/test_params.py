"""Params: arguments, model, configuration, adapters, quantisation, tokenizer."""

from pathlib import Path
from typing import Any

import torch
import transformers

from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import model, only, trainer


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
