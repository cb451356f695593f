"""Distributions with an entry point, as tests of plugins install them."""

from pathlib import Path


def plugin(folder: Path, name: str, code: str, attribute: str = "", group: str = "runlore") -> str:
    """A distribution with an entry point, on a path of its own."""
    site = folder / "site"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}{attribute}\n")
    (site / f"{name}.py").write_text(code)
    return str(site)
