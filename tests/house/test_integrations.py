"""The integrations have one inner layout: files of the same names, and arrows that only lead downwards."""

import pytest

from tests.house.test_rooms import arrows

FLOORS = [  # from the ground; files of one floor may import each other, without a circle
    {"_framework", "_weights", "_inert", "_unpickler", "_seeds", "_taps", "_options", "_switch"},
    {
        "_calls", "_owners", "_checkpoints", "_copies", "_params", "_data", "_metrics", "_optimizers", "_endings",
        "_histories", "_importance", "_media", "_selection", "_workers",
    },
    {
        "_callback", "_tracker", "_training", "_partial", "_evaluation", "_search", "_entry", "_parts", "_methods",
        "_listener", "_reports", "_trainer", "_tuning", "_fitting",
    },
    {"_wrapping", "_displays"},
    {"", "plugin", "factory"},
]  # fmt: skip
WRAPPING = {  # callbacks and loggers that wrap what they are given to
    "runlore_lightning._by_hand",
    "runlore_lightning._callback",
    "runlore_lightning._logger",
    "runlore_sklearn._callback",
    "runlore_torch._callback",
}


def floor(module: str) -> int:
    """Return the floor that a file of an integration lies on."""
    if module in WRAPPING:
        return 3
    name = module.partition(".")[2]
    return next(place for place, files in enumerate(FLOORS) if name in files)


@pytest.mark.parametrize(
    "name", "catboost keras lightgbm lightning optuna ray sklearn spark torch transformers xgboost".split()
)
def test_files_of_an_integration_import_only_those_below(name: str) -> None:
    package = f"runlore_{name}"
    inside = {module: targets for module, targets in arrows().items() if module.partition(".")[0] == package}
    assert {f"{package}.{file}" for file in ("_framework", "_owners", "_training", "_wrapping")} <= set(inside)
    up = [
        (module, target)
        for module, targets in inside.items()
        for target in targets
        if target.partition(".")[0] == package and floor(target) > floor(module)
    ]
    assert up == []
