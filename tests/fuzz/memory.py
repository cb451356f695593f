"""The most memory that this process has taken."""

from pathlib import Path


def forget_peak() -> None:
    """Begin anew: what was taken before no longer counts, as far as it was given back."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the most memory that this process has taken since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
