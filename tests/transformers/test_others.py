"""Trainers of trl, peft and sentence-transformers: recorded whole, and the same to the last bit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers
from datasets import Dataset

import runlore
from runlore import Store
from tests.transformers.models import only

ROWS = {"text": ["a b c", "c b a"] * 4}
PROMPTS = {"prompt": ["a b", "b c"] * 4}
PAIRS = {**PROMPTS, "chosen": [" c"] * 8, "rejected": [" a"] * 8}
ALIKE = {"sentence1": ["a b", "b c"] * 4, "sentence2": ["b a", "a a"] * 4, "score": [1.0, 0.0] * 4}


def tokenizer() -> Any:
    words = {word: place for place, word in enumerate(["<pad>", "<eos>", "<unk>", "a", "b", "c"])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def llama() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=6, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def common(folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder), "max_steps": 3, "logging_steps": 1, "use_cpu": True, "disable_tqdm": True,
        "save_strategy": "no", "report_to": "none", "bf16": False, "seed": 1, "per_device_train_batch_size": 2,
    }  # fmt: skip


def adapters(folder: Path) -> Any:
    """A supervised fine-tuning of LoRA's adapters."""
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        llama(), SFTConfig(max_length=16, **common(folder)), processing_class=tokenizer(),
        train_dataset=Dataset.from_dict(ROWS), peft_config=LoraConfig(r=2, target_modules=["q_proj"], lora_dropout=0.1),
    )  # fmt: skip


def preferences(folder: Path) -> Any:
    """A direct optimization of preferences, which is evaluated, too."""
    from trl import DPOConfig, DPOTrainer

    args = DPOConfig(max_length=16, beta=0.2, eval_strategy="steps", eval_steps=1, **common(folder))
    data = Dataset.from_dict(PAIRS)
    return DPOTrainer(
        llama(), llama(), args=args, processing_class=tokenizer(), train_dataset=data, eval_dataset=data
    )  # fmt: skip


def many_a(completions: Any, **kwargs: Any) -> list[float]:
    return [float(item.count("a")) for item in completions]


def rewards(folder: Path) -> Any:
    """A group-relative optimization, whose completions are generated as it trains."""
    from trl import GRPOConfig, GRPOTrainer

    args = GRPOConfig(num_generations=2, max_completion_length=4, **common(folder))
    return GRPOTrainer(
        llama(), many_a, args=args, processing_class=tokenizer(), train_dataset=Dataset.from_dict(PROMPTS)
    )  # fmt: skip


def sentences(folder: Path) -> Any:
    """A training of embeddings with a loss of its own and an evaluator."""
    import sentence_transformers as library
    from sentence_transformers import losses, models
    from sentence_transformers.evaluation import EmbeddingSimilarityEvaluator

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder / "bert")
    tokenizer().save_pretrained(folder / "bert")
    words = models.Transformer(str(folder / "bert"), max_seq_length=8)
    model = library.SentenceTransformer(modules=[words, models.Pooling(16)], device="cpu")
    settings = library.SentenceTransformerTrainingArguments(eval_strategy="steps", eval_steps=1, **common(folder))
    pairs = EmbeddingSimilarityEvaluator(["a b", "b c", "c"], ["b a", "a a", "c c"], [1.0, 0.0, 0.5], name="pairs")
    data = Dataset.from_dict(ALIKE)
    return library.SentenceTransformerTrainer(
        model, args=settings, train_dataset=data, eval_dataset=data, evaluator=pairs,
        loss=losses.CosineSimilarityLoss(model),
    )  # fmt: skip


TRAININGS: dict[Any, tuple[set[str], dict[str, Any]]] = {
    adapters: ({"loss", "mean_token_accuracy"}, {"max_length": 16, "peft.r": 2, "peft.target_modules": ["q_proj"]}),
    preferences: ({"loss", "rewards/margins", "eval_rewards/margins", "eval_loss"}, {"beta": 0.2}),
    rewards: ({"loss", "reward", "rewards/many_a/mean"}, {"num_generations": 2, "reward_funcs": ["many_a"]}),
    sentences: (
        {"loss", "eval_loss", "eval_pairs_spearman_cosine"},
        {"loss": "CosineSimilarityLoss", "evaluator": "EmbeddingSimilarityEvaluator"},
    ),
}


def weights(made: Any) -> Any:
    made.train()
    return {name: item.tolist() for name, item in made.model.state_dict().items()}


@pytest.mark.parametrize("make", TRAININGS, ids=lambda make: make.__name__)
def test_a_training_is_recorded_whole_and_is_the_same(
    make: Callable[[Path], Any], store: Store, tmp_path: Path
) -> None:
    plain = weights(make(tmp_path / "plain"))
    with runlore.autolog("transformers"):
        assert weights(make(tmp_path / "recorded")) == plain
    run = only(store)
    metrics, params = TRAININGS[make]
    assert (run.status, run.missing) == ("finished", [])
    assert metrics <= set(run.metrics)
    for name in metrics:
        assert run.metrics[name].steps.tolist() == [1, 2, 3], name
    assert {name: run.params[name] for name in params} == params
    assert not {"gradient_checkpointing", "activation_checkpointing"} & (set(run.params) - run.captured), "its defaults"
    assert not {"eos_token", "pad_token"} & set(run.params), "nobody passed them"
    assert run.data["train"]["rows"] == 8


def completing(folder: Path) -> Any:
    """A training with a callback that generates completions at every second step."""
    from trl import LogCompletionsCallback

    made = preferences(folder)
    settings = transformers.GenerationConfig(max_new_tokens=3, do_sample=False, pad_token_id=0, eos_token_id=1)
    made.add_callback(LogCompletionsCallback(made, settings, num_prompts=2, freq=2))
    return made


def test_completions_of_a_callback_are_recorded_as_a_table_of_its_step(store: Store, tmp_path: Path) -> None:
    plain = weights(completing(tmp_path / "plain"))
    made = completing(tmp_path / "recorded")
    with runlore.autolog("transformers"):
        assert weights(made) == plain
        (callback,) = (item for item in made.callback_handler.callbacks if hasattr(item, "table"))
        generated = [[prompt, text] for _, prompt, text in callback.table]
        made.train()  # again; the callback generates nothing more for a step that it has had
    second, first = store.runs()
    (table,) = (item for item in first.artifacts if item.media)
    assert (table.name, table.step) == ("completions.json", 2)
    assert json.loads(table.read_bytes()) == {"columns": ["prompt", "completion"], "rows": generated}
    assert [item for item in second.artifacts if item.media] == []
    assert (first.missing, second.missing) == ([], [])
