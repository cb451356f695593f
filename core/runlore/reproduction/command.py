"""Choose the command that repeats a run."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from runlore.plugins.secret_text import MASK
from runlore.reproduction.environment import BEHIND
from runlore.reproduction.paths import Places, program_of, scripts
from runlore.reproduction.plan import Plan, Problem
from runlore.reproduction.prompts import asking
from runlore.store.runs import RecordedRun

# The command


def choose_command(plan: Plan, run: RecordedRun, places: Places, given: Sequence[str]) -> None:
    """The recorded command in the fresh folder, or the one that is `given`."""
    plan.command = list(given)
    if given:
        return
    script = _script(run, places)
    program = program_of(run)
    tool = _tool(run, program, plan.python)
    if script is None and tool is None:
        why = f"its script {program[-1]!r} is not in its code" if program else "it was typed, or run in a notebook"
        what = " ".join(map(str, run.command.get("argv") or [])) or "unknown"
        plan.problems.append(Problem("command", f"{what}: {why}; {BEHIND}"))
        return
    if tool is not None:
        program[-1] = str(tool)
    elif program[-2:-1] != ["-m"] and script is not None:
        same = Path(os.path.normpath(plan.cwd / program[-1])) == script
        program[-1] = program[-1] if same and not Path(program[-1]).is_absolute() else str(script)
    arguments = [places.moved(str(part)) for part in (run.command.get("argv") or [])[1:]]
    plan.command = [str(plan.python), *map(places.moved, program), *arguments]
    if "runlore._script" in program and "RUNLORE_AUTOLOG" not in run.environment.get("variables", {}):
        plan.settings["RUNLORE_AUTOLOG"] = "1"
    plan.problems += [Problem("command", what) for what in _obstacles(plan, run, places, script)]


def _script(run: RecordedRun, places: Places) -> Path | None:
    """The script in the fresh folder; None where it lies elsewhere, or is not there."""
    for text in scripts(run):
        path = places.there(text)
        if path.is_file() and Path(os.path.realpath(path)).is_relative_to(places.folder):
            return path
    return None


def _tool(run: RecordedRun, program: Sequence[str], python: Path) -> Path | None:
    """What stands for a program that was installed with the environment, such as `lightning`, beside Python now."""
    prefix = run.environment.get("python", {}).get("prefix")
    if not program or not prefix or program[-2:-1] == ["-m"]:
        return None
    path = Path(program[-1])
    return python.parent / path.name if path.is_absolute() and path.parent == Path(str(prefix), "bin") else None


def _obstacles(plan: Plan, run: RecordedRun, places: Places, script: Path | None) -> Iterator[str]:
    if any(MASK in part for part in plan.command):
        yield f"an argument was masked as a secret; {BEHIND}"
    variables = run.environment.get("variables", {})
    if "RANK" in variables and str(variables.get("WORLD_SIZE", "1")) != "1":
        count = variables["WORLD_SIZE"]
        yield f"it was one of {count} processes of a launcher, whose command is not recorded; {BEHIND}"
    for place in asking(script, places.code) if script is not None else ():
        yield f"it asks at a terminal: {place}; a command behind -- may answer, such as sh -c 'echo … | python …'"
