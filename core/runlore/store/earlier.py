"""Find the run that `resume="allow"` goes on with."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from runlore._settings import setting
from runlore._warnings import report, valid_or, without_warnings
from runlore.errors import RunloreError
from runlore.recording.ranks import is_follower
from runlore.recording.resuming import Job
from runlore.recording.starting import DEFAULT_EXPERIMENT, script_name

if TYPE_CHECKING:
    from runlore.store.runs import RecordedRun, RunList

JOB = "job"  # the tag with the id of a scheduler's job, of runs that were started so
MOST = 20  # runs of one job that are looked through


def find_earlier(
    runs: "Callable[..., RunList]", name: str | None, experiment: str | None, parent: str | None, job: Job | None
) -> str | None:
    """Return the id of the newest run of this name, or of this job and script; None where there is none. Never raises.

    A run of a name is looked for in the experiment that the new one would belong to, and below the same parent.
    """
    if is_follower():
        return None  # it records nothing
    if not name and job is None:
        report('resume="allow" has neither a name nor a job whose run could go on: this is a new run')
        return None
    try:
        with without_warnings():
            return _find(runs, name, experiment, parent, job)
    except (RunloreError, OSError) as error:
        report(f"earlier runs can't be looked up, so this is a new run: {error}")
        return None


def _find(
    runs: "Callable[..., RunList]", name: str | None, experiment: str | None, parent: str | None, job: Job | None
) -> str | None:
    above = "parent is None" if parent is None else f"parent == {parent!r}"
    if name:
        place = experiment or valid_or(None, setting, "experiment") or DEFAULT_EXPERIMENT
        where = f"name == {str(name)!r} and experiment == {str(place)!r} and {above}"
        return next((run.id for run in runs(where, sort="-id", limit=1)), None)
    assert job is not None
    found = runs(f"tags.{JOB} == {job.id!r} and {above}", sort="-id", limit=MOST)
    return next((run.id for run in found if _is_of_script(run)), None)


def _is_of_script(run: "RecordedRun") -> bool:
    argv = run.command.get("argv")
    return isinstance(argv, list) and argv[:1] == [script_name()]
