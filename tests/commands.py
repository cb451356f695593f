"""The command line, as tests call it."""

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from runlore.cli import main


def runlore(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def document(*arguments: str) -> Any:
    result = runlore(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def command() -> str:
    return str(Path(sys.executable).with_name("runlore"))
