"""Which params and metrics people look for first, and which say little: the order of tables."""

from collections.abc import Mapping
from typing import Any

PLACES = ("_dir", "dirpath", "filepath", "path")  # ends of params that tell where files go: no two runs share them

TELLING = frozenset(
    "learning_rate lr epochs max_epochs num_train_epochs max_steps batch_size per_device_train_batch_size weight_decay "
    "momentum dropout warmup_steps seed random_state C alpha gamma max_depth n_estimators".split()
)
ASIDE = ("_time", "_seconds", "_runtime", "_per_second", "learning_rate", "grad_norm")


def is_telling(key: str) -> bool:
    """Whether a param is one of those that people vary and look for: shown before the many others of a framework."""
    return not TELLING.isdisjoint({key, key.rpartition(".")[2]}) or key in ("optimizer.name", "model.class")


def by_use(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params in the order in which people look for them: what they vary, the model's own, what frameworks add."""
    return dict(sorted(params.items(), key=lambda item: (not is_telling(item[0]), "." in item[0], item[0])))


def is_place(key: str) -> bool:
    """Whether a param tells where files go: shown after all others."""
    return key.endswith(PLACES)


def is_aside(key: str) -> bool:
    """Whether a metric tells how training goes on, not how good it is: shown after those that do."""
    return key.endswith(ASIDE) or key.startswith("system/")
