"""Builds the wheel, checks what lies in it, and uses it in an environment without development requirements."""

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"runlore": ROOT / "core" / "runlore"} | {
    path.name: path for path in sorted((ROOT / "integrations").glob("runlore_*"))
}
SMOKE = """
import json, sys
import runlore
with runlore.start_run("smoke", params={"lr": 0.1}) as run:
    for step in range(3):
        run.log_metrics({"loss": 1 / (step + 1)})
found = runlore.open_store().runs("params.lr < 1 and metrics.loss.min < 0.5")
print(json.dumps([item.metrics["loss"].values.tolist() for item in found]))
"""


def check_contents(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packaged = {name for name in names if ".dist-info/" not in name}
    assert packaged == expected, f"missing {expected - packaged}, too much {packaged - expected}"
    entry_points = next(name for name in names if name.endswith("entry_points.txt"))
    assert "[runlore]" in zipfile.ZipFile(wheel).read(entry_points).decode()


def check_use(wheel: Path, folder: Path) -> None:
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    environment = {**os.environ, "RUNLORE_STORE": str(folder / "store")}
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, cwd=folder)
    printed = subprocess.run(
        [python, "-c", SMOKE], check=True, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert json.loads(printed.stdout) == [[1.0, 0.5, 1 / 3]], printed.stdout
    listed: list[str | Path] = [folder / "env" / "bin" / "runlore", "ls", "--json"]
    runs = json.loads(subprocess.run(listed, check=True, cwd=folder, env=environment, capture_output=True).stdout)
    assert [run["status"] for run in runs] == ["finished"], runs


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        wheel = next(folder.glob("*.whl"))
        check_contents(wheel)
        check_use(wheel, folder)
    print(f"{wheel.name}: contents and use are as they should be")


if __name__ == "__main__":
    main()
