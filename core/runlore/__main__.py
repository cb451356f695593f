"""`python -m runlore`, and the command `runlore`."""

import gc
import signal
import sys
import warnings

OBJECTS_BETWEEN = 100_000  # that are made between two looks for cycles: what is read of records is trees


def main() -> None:
    """Run a command. `runlore run PROGRAM` without options is begun at once: its program waits for what is imported."""
    if sys.argv[1:2] == ["run"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C before the program is there ends what would have been it
    if len(sys.argv) > 2 and sys.argv[1] == "run" and not sys.argv[2].startswith("-"):
        _run(sys.argv[2:])
    from runlore.cli import main as command

    gc.set_threshold(OBJECTS_BETWEEN, *gc.get_threshold()[1:])
    command(prog_name="runlore")


def _run(called: list[str]) -> None:
    from runlore._settings import setting
    from runlore.errors import RunloreWarning
    from runlore.programs.command import CantStart, run_program

    if setting("parse_output"):
        return  # the command knows what that asks for
    warnings.simplefilter("always", RunloreWarning)
    warnings.showwarning = _print_warning
    try:
        run_program(called)
    except CantStart as error:
        from runlore.cli.printing import print_message

        print_message(str(error))
        sys.exit(error.status)


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    from runlore.cli.printing import print_message

    print_message(f"runlore: {message}")


if __name__ == "__main__":
    main()
