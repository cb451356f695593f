"""The user's code is sent to workers by value: where runlore is not installed, it runs as ever."""

from collections.abc import Callable
from pathlib import Path

from ray import cloudpickle

from runlore.guest.launch import Launch
from runlore_ray._reports import Reports
from runlore_ray._workers import Told, loop_at_work, trainable_at_work
from tests.process import Process

SCRIPT = """
    import sys
    from pathlib import Path

    sys.modules["runlore"] = sys.modules["runlore_ray"] = None  # as where they are not installed
    from ray import cloudpickle

    trainable, loop, reports = cloudpickle.loads(Path(sys.argv[1]).read_bytes())
    print(trainable.__name__, trainable().step(), loop.__name__, loop(), type(reports).__name__)
"""


def test_a_worker_without_runlore_trains_as_ever(python: Callable[..., Process], tmp_path: Path) -> None:
    class Plain:
        """A class as users tune it."""

        def step(self) -> int:
            return 7

    def loop() -> int:
        return 8

    told = Told("store", "run", ("sklearn",))
    sent = trainable_at_work(Plain, told)
    assert (sent.__qualname__, sent.__module__, sent.__doc__) == (Plain.__qualname__, Plain.__module__, Plain.__doc__)
    reports = Reports(Launch("token", "store", "run"), (None, "max"), 0)
    (tmp_path / "sent").write_bytes(cloudpickle.dumps((sent, loop_at_work(loop, told), reports)))
    assert python(SCRIPT, str(tmp_path / "sent")).succeed().split() == ["Plain", "7", "loop", "8", "RayTrainCallback"]


IMPORTS = """
    import sys

    if sys.argv[1] == "autolog":
        import runlore

        runlore.autolog()
    import ray

    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    print(sorted(name for name in sys.modules if name.partition(".")[0] in ("ray", "torch", "sklearn", "tensorflow")))
    print(hasattr(DataParallelTrainer.fit, "__wrapped__"))
"""


def test_autolog_imports_no_part_of_ray_that_the_user_has_not_imported(python: Callable[..., Process]) -> None:
    plain, is_wrapped = python(IMPORTS, "plain").succeed().splitlines()
    assert is_wrapped == "False"
    assert python(IMPORTS, "autolog").succeed().splitlines() == [plain, "True"]
