"""Choose the command that repeats a run."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from runlore.plugins.secret_words import MASK
from runlore.plugins.typed import ARGUMENT
from runlore.reproduction.paths import Places, program_of, script_paths
from runlore.reproduction.plan import Plan, Problem
from runlore.reproduction.prompts import find_prompts
from runlore.store.runs import RecordedRun

RUNLORE_RUN = "runlore._script"  # the module that `runlore run` executes; this name is in the records of runs
WAY_OUT = "name a command behind --"


def choose_command(plan: Plan, run: RecordedRun, places: Places, given: Sequence[str]) -> None:
    """Set the plan's command: `given` if there is one, else the recorded one with its paths in the fresh folder."""
    plan.command = list(given)
    if given:
        return
    script = _find_script(run, places)
    program = program_of(run)
    tool = _find_tool(run, program, plan.python)
    if plan.typed is not None and not program and plan.typed.name == ARGUMENT:
        plan.command = [
            str(plan.python),
            "-c",
            plan.typed.read_text("utf-8", "surrogateescape"),
            *_arguments(run, places),
        ]
        plan.problems += [Problem("command", what) for what in _obstacles(plan, run, places, None)]
        return
    if plan.typed is not None or (script is None and tool is None):
        why = "it was typed, or run in a notebook"
        if plan.typed is not None:
            why += f", and is kept as {plan.typed.relative_to(plan.folder).as_posix()!r}"
        elif program:
            why = f"its script {program[-1]!r} is not in its code"
        what = " ".join(map(str, run.command.get("argv") or [])) or "unknown"
        plan.problems.append(Problem("command", f"{what}: {why}; {WAY_OUT}"))
        return
    if tool is not None:
        program[-1] = str(tool)
    elif program[-2:-1] != ["-m"] and script is not None:
        same = Path(os.path.normpath(plan.cwd / program[-1])) == script
        program[-1] = program[-1] if same and not Path(program[-1]).is_absolute() else str(script)
    plan.command = [str(plan.python), *map(places.relocate, program), *_arguments(run, places)]
    if RUNLORE_RUN in program and "RUNLORE_AUTOLOG" not in run.environment.get("variables", {}):
        plan.settings["RUNLORE_AUTOLOG"] = "1"
    plan.problems += [Problem("command", what) for what in _obstacles(plan, run, places, script)]


def _arguments(run: RecordedRun, places: Places) -> list[str]:
    return [places.relocate(str(part)) for part in (run.command.get("argv") or [])[1:]]


def _find_script(run: RecordedRun, places: Places) -> Path | None:
    """Return the script in the fresh folder; None if it is not there."""
    for text in script_paths(run):
        path = places.now(text)
        if path.is_file() and Path(os.path.realpath(path)).is_relative_to(places.folder):
            return path
    return None


def _find_tool(run: RecordedRun, program: Sequence[str], python: Path) -> Path | None:
    """Return the path, beside `python`, of a program that was installed with the environment, such as `lightning`."""
    prefix = run.environment.get("python", {}).get("prefix")
    if not program or not prefix or program[-2:-1] == ["-m"]:
        return None
    path = Path(program[-1])
    return python.parent / path.name if path.is_absolute() and path.parent == Path(str(prefix), "bin") else None


def _obstacles(plan: Plan, run: RecordedRun, places: Places, script: Path | None) -> Iterator[str]:
    if any(MASK in part for part in plan.command):
        yield f"an argument was masked as a secret; {WAY_OUT}"
    variables = run.environment.get("variables", {})
    if "RANK" in variables and str(variables.get("WORLD_SIZE", "1")) != "1":
        count = variables["WORLD_SIZE"]
        yield f"it was one of {count} processes of a launcher, whose command is not recorded; {WAY_OUT}"
    for place in find_prompts(script, places.code) if script is not None else ():
        yield f"it asks at a terminal: {place}; a command behind -- may answer, such as sh -c 'echo … | python …'"
