"""Datasets of Hugging Face that are saved on disk, or made of files there."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import datasets

from runlore.guest.files.watch import read
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import follow_all, reads, writes


def follow(wrappers: Wrappers) -> None:
    """Follow what loads datasets from the disk, and what saves them."""
    wrappers.follow(datasets, "load_from_disk", reads("datasets.load_from_disk", 0, "dataset_path"))
    wrappers.follow(datasets, "load_dataset", _loaded)
    for kind in (datasets.Dataset, datasets.DatasetDict):
        wrappers.follow(kind, "save_to_disk", writes("data", 1, "dataset_path", "dataset_dict_path"))
    names = ("to_csv", "to_json", "to_parquet")
    follow_all(wrappers, datasets.Dataset, names, lambda name: writes("data", 1, "path_or_buf"))


def _loaded(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    for name in _texts(kwargs.get("data_files")):
        if os.path.exists(name):  # noqa: PTH110  # a pattern, or a name on the hub
            read(name, "datasets.load_dataset")


def _texts(files: Any) -> Iterator[str]:
    if isinstance(files, str):
        yield files
    elif isinstance(files, Mapping | list | tuple):
        for item in files.values() if isinstance(files, Mapping) else files:
            yield from _texts(item)
