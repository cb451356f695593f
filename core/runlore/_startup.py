"""Arguments and folder of the process, now and when runlore was imported: a script may change them before its run.

And the names of its user and its machine, as they stand in what is written by hand.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def working_folder() -> str | None:
    """Return the folder that the process works in; None where somebody has removed it."""
    try:
        return os.getcwd()  # noqa: PTH109  # every import of runlore waits for this: pathlib is slow
    except OSError:
        return None


def script_arguments() -> list[str]:
    """Return `sys.argv` as texts, whatever a program has put there; empty where Python is embedded and has none."""
    return [str(part) for part in getattr(sys, "argv", ())]


def user_name() -> str:
    """Return the name of the user whose process this is."""
    import pwd  # which is part of the interpreter

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # no entry, as in containers
        return f"user {os.geteuid()}"


def host_name() -> str:
    """Return the name of this machine, as runs have it."""
    return os.uname().nodename


def told_program() -> tuple[str, str, str] | None:
    """Return what `runlore run` told this process: id of the program's run, process that waits for it, store's folder.

    None where it is no part of such a program.
    """
    found = os.environ.get(PROGRAM, "").split(" ", 2)
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def may_want_autolog() -> bool:
    """Return True if a variable, or the nearest pyproject.toml, may ask to record what this script trains.

    A light look: what is asked for is read by whoever is called then. False in a Python that already waits for
    frameworks, as those do that `runlore run` has started, and in our own commands.
    """
    begun_by = getattr(sys.modules.get("sitecustomize"), "__file__", None) or ""
    name = os.path.basename(script_arguments()[0]) if script_arguments() else ""  # noqa: PTH119
    is_command = name == "runlore" or (name == "-m" and "runlore" in sys.orig_argv)
    if begun_by.startswith(JOINING) or is_command:
        return False
    if AUTOLOG in os.environ:
        return os.environ[AUTOLOG].strip() not in ("", "0")
    return _project_names(b"autolog")


def _project_names(word: bytes) -> bool:
    """Return True if the nearest pyproject.toml upwards holds a word, whatever else it says."""
    below, folder = "", BEGAN_IN or ""
    while folder and folder != below:
        try:
            descriptor = os.open(os.path.join(folder, "pyproject.toml"), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            below, folder = folder, os.path.dirname(folder)  # noqa: PTH120
            continue
        try:
            return word in os.read(descriptor, MAX_LOOK_BYTES)
        except OSError:  # a folder, say
            return False
        finally:
            os.close(descriptor)
    return False


def within_import(function: "Callable[..., object]") -> None:
    """Let a function that executes modules pass for a part of Python's own import.

    Its frame then stands in no traceback of the user's, and is not counted by warnings that name who imported them.
    """
    function.__code__ = function.__code__.replace(co_filename="<frozen importlib._bootstrap>")


def restore_interruption() -> None:
    """Let Python end by SIGINT where Ctrl-C has ended its main module; call it at exit, behind all other code of ours.

    It forgets the reason of its end where a text is executed meanwhile, which `namedtuple` and dataclasses do.
    """
    error = getattr(sys, "last_value", None)
    if not isinstance(error, KeyboardInterrupt) or hasattr(sys, "ps1") or error.__traceback__ is None:
        return
    code = error.__traceback__.tb_frame.f_code
    if code.co_name == "<module>" or code.co_filename == "<frozen runpy>":
        try:  # noqa: SIM105  # as every Python of a program imports this
            exec("raise KeyboardInterrupt")
        except KeyboardInterrupt:  # which is what Python remembers
            pass


MAX_LOOK_BYTES = 4 << 20
AUTOLOG = "RUNLORE_AUTOLOG"  # the setting, as a variable
PROGRAM = "RUNLORE_PROGRAM"  # the variable that tells it
WATCHED = "RUNLORE_WATCHED"  # the one with the modules at whose import a Python joins the run
LENT = "RUNLORE_LENT"  # the one with the packages that Pythons without runlore borrow, see `programs.inside`
TOLD = "RUNLORE_TOLD"  # the one with the file in which a Python tells of itself
SEEDED = "RUNLORE_SEEDED"  # the one with the plugins that know seeds
CARRIED = (PROGRAM, WATCHED, LENT, TOLD, SEEDED, AUTOLOG, "RUNLORE_STORE")  # what lets a Python join, with the path
PARSING = ("parse_known_args", "parse_known_intermixed_args")  # by which argparse's other methods parse
BEGAN_IN = working_folder()
BEGAN_AS = getattr(sys.modules.get("__main__"), "__file__", None)  # the file of the script
JOINING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "inside")  # noqa: PTH100, PTH118, PTH120  # for PYTHONPATH: Pythons that `runlore run` has started join its run
