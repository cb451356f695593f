"""The options of the runs that are made."""

from dataclasses import dataclass

from runlore.guest.options import RunOptions


@dataclass(frozen=True, slots=True)
class Options(RunOptions):
    """The options of the runs that a user gave; with `dry_runs`, `fast_dev_run` and `barebones` make runs, too."""

    dry_runs: bool = False
