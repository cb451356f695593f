"""The switches: for each name that `autolog` knows the modules of a library, and who follows them once imported."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from runlore import guest
from runlore.hookspecs import Integration

if TYPE_CHECKING:
    from runlore.guest.wrapping import Wrappers

Follow = Callable[["Wrappers"], object]  # follows functions of a module that is imported


class Place(NamedTuple):
    """A module of a library, and the function of ours that follows it: "module:function", imported only then."""

    module: str
    follow: str


ARGUMENTS = "argument-files"  # files that a program under `runlore run` was called with, and opens
CONSTANTS = "constants"  # of the script that is a program under `runlore run`
SWITCHES: dict[str, tuple[Place, ...]] = {
    "matplotlib": (
        Place("matplotlib.figure", "_figures:follow_figure"),
        Place("matplotlib.pyplot", "_figures:follow_pyplot"),
        Place("matplotlib.backends.backend_pdf", "_pictures:follow_pages"),
        Place("matplotlib.animation", "_pictures:follow_animation"),
        Place("matplotlib.image", "_pictures:follow_image"),
    ),
    "plotly": (Place("plotly.io", "_plotly:follow"),),
    "torch-files": (
        Place("torch", "_torch:follow"),
        Place("torch.export", "_torch:follow_export"),
        Place("torch.onnx", "_torch:follow_onnx"),
    ),
    "fabric-files": (
        Place("lightning_fabric.fabric", "_trainers:follow_fabric"),
        Place("lightning.fabric.fabric", "_trainers:follow_lightnings_fabric"),
    ),
    "accelerate-files": (Place("accelerate.accelerator", "_trainers:follow_accelerate"),),
    "transformers-files": (Place("transformers.modeling_utils", "_trainers:follow_transformers"),),
    "safetensors": (
        Place("safetensors.torch", "_safetensors:follow_torch"),
        Place("safetensors.numpy", "_safetensors:follow_numpy"),
        Place("safetensors", "_safetensors:follow_lazily"),
    ),
    "joblib": (Place("joblib", "_models:follow_joblib"),),
    "pickle": (Place("pickle", "_models:follow_pickle"),),
    "cloudpickle": (Place("cloudpickle", "_models:follow_cloudpickle"),),
    "dill": (Place("dill", "_models:follow_dill"),),
    "keras-files": (Place("keras", "_keras:follow"),),
    "numpy-files": (Place("numpy", "_numpy:follow"),),
    "h5py": (Place("h5py", "_numpy:follow_hdf"),),
    "pictures": (
        Place("PIL.Image", "_pictures:follow_pillow"),
        Place("torchvision.utils", "_pictures:follow_torchvision"),
        Place("cv2", "_pictures:follow_opencv"),
        Place("imageio", "_pictures:follow_imageio"),
    ),
    "pandas-files": (Place("pandas", "_tables:follow_pandas"),),
    "polars-files": (Place("polars", "_tables:follow_polars"),),
    "copied-files": (Place("os", "_copies:follow"),),
    "datasets": (Place("datasets", "_datasets:follow"),),
    "tensorboard": (
        Place("torch.utils.tensorboard.writer", "_summaries:follow_torch"),
        Place("tensorboardX.writer", "_summaries:follow_tensorboardx"),
    ),
    "click": (Place("click.core", "_commands:follow_click"),),
    "typer": (Place("typer._click.core", "_commands:follow_typer"),),
    "hydra": (
        Place("hydra._internal.callbacks", "_commands:follow_hydra"),
        Place("hydra", "_commands:follow_compose"),
    ),
    "omegaconf": (Place("omegaconf", "_commands:follow_omegaconf"),),
    "absl": (Place("absl.app", "_commands:follow_absl"), Place("absl.flags", "_commands:follow_flags")),
    "jsonargparse": (Place("jsonargparse", "_commands:follow_jsonargparse"),),
    "docopt": (Place("docopt", "_commands:follow_docopt"),),
    "simple-parsing": (Place("simple_parsing", "_commands:follow_simple_parsing"),),
    "tyro": (Place("tyro", "_commands:follow_tyro"),),
    "fire": (Place("fire.core", "_commands:follow_fire"),),
    "pydantic-settings": (Place("pydantic_settings", "_commands:follow_pydantic"),),
}

# Most programs import or use these, and few train: what follows them is loaded with the first framework.
SELDOM: dict[str, Place] = {
    "opened-files": Place("io", "_opened:follow"),
    "json": Place("json", "_texts:follow_json"),
    "yaml": Place("yaml", "_texts:follow_yaml"),
    "tomllib": Place("tomllib", "_texts:follow_toml"),
    "csv": Place("csv", "_texts:follow_csv"),
    "configparser": Place("configparser", "_texts:follow_configparser"),
    "logging": Place("logging", "_texts:follow_logging"),
    "loguru": Place("loguru", "_texts:follow_loguru"),
}


def switches() -> list[Integration]:
    """Return an integration for each switch."""
    found = [_switch(name, *places) for name, places in SWITCHES.items()]
    return [
        *found,
        *(
            Integration(name, "io", partial(_wait, name, place), partial(_disable, name), trains=False)
            for name, place in SELDOM.items()
        ),
        *(
            Integration(name, "io", partial(_want, name), partial(_want, name, is_wanted=False), trains=False)
            for name in (ARGUMENTS, "argparse", CONSTANTS)
        ),
    ]


def _want(name: str, *, is_wanted: bool = True) -> None:
    from runlore.guest.files import named  # late: a program's start waits for this file

    kinds: dict[str, Any] = {
        ARGUMENTS: named.NamedFiles,
        "argparse": named.ParsedArguments,
        CONSTANTS: named.ScriptConstants,
    }
    part = guest.part(kinds[name])
    if is_wanted:
        part.want()
    else:
        part.unwant()


def _switch(name: str, first: Place, *others: Place) -> Integration:
    enabled = [partial(_enable, name, place) for place in (first, *others)]
    also = {place.module: enable for place, enable in zip(others, enabled[1:], strict=True)}
    packages = tuple(dict.fromkeys(place.module.partition(".")[0] for place in (first, *others)))
    return Integration(name, first.module, enabled[0], partial(_disable, name), packages, also=also, trains=False)


class _Followed(guest.Part):
    """The functions of each switch that are followed, by name and module."""

    inherited = True

    def __init__(self) -> None:
        self.wrappers: dict[tuple[str, str], Wrappers] = {}
        self.waiting: set[str] = set()  # those whose module may still be imported


def _wait(name: str, place: Place) -> None:
    def enable() -> None:
        if name in guest.part(_Followed).waiting:
            _enable(name, place)

    guest.part(_Followed).waiting.add(name)
    guest.once_imported(place.module, enable)


def _enable(name: str, place: Place) -> None:
    from runlore.guest.wrapping import Wrappers

    wrappers = guest.part(_Followed).wrappers.setdefault((name, place.module), Wrappers())
    if not wrappers:
        module, _, function = place.follow.partition(":")
        follow: Follow = getattr(import_module(f"runlore_scripts.{module}"), function)
        follow(wrappers)


def _disable(name: str) -> None:
    guest.part(_Followed).waiting.discard(name)
    for (owner, _), wrappers in guest.part(_Followed).wrappers.items():
        if owner == name:
            wrappers.restore()
