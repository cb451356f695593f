"""A repository whose code differs from run to run, and runs with several seeds."""

from tests.analysis.seeded import seeded
from tests.plugins.test_code import repository

__all__ = ["repository", "seeded"]
