"""Either namespace of Lightning, none at all, and a version that nobody has tested."""

from collections.abc import Callable

from runlore import Store
from tests.lightning.models import ROOT
from tests.process import Process

Python = Callable[..., Process]


def test_either_namespace_takes_the_callback_for_its_own(python: Python) -> None:
    process = python("""
        import copy, pickle, warnings
        warnings.simplefilter("ignore")
        import pytorch_lightning
        from runlore_lightning import RunloreCallback, RunloreLogger
        first = RunloreCallback()
        assert isinstance(first, (RunloreCallback, pytorch_lightning.Callback))
        import lightning.pytorch
        class Mine(RunloreCallback):
            pass
        for made in (RunloreCallback(), Mine(), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
            assert isinstance(made, pytorch_lightning.Callback) and isinstance(made, lightning.pytorch.Callback)
            assert pytorch_lightning.Trainer(callbacks=made, logger=False, enable_checkpointing=False)
        assert isinstance(RunloreLogger(), lightning.pytorch.loggers.Logger)
        assert isinstance(pickle.loads(pickle.dumps(RunloreLogger())), pytorch_lightning.loggers.Logger)
    """)
    process.succeed()


def test_without_lightning_the_extra_is_named(python: Python) -> None:
    python("""
        import sys
        sys.modules["lightning"] = sys.modules["pytorch_lightning"] = None
        import runlore_lightning
        for name in ("RunloreCallback", "RunloreLogger"):
            try:
                getattr(runlore_lightning, name)()
            except ImportError as error:
                assert "pip install 'runlore[lightning]'" in str(error), error
            else:
                raise AssertionError(name)
    """).succeed()


def test_an_untested_version_warns_once(store: Store, warm_python: Python) -> None:
    process = warm_python(
        """
        import warnings
        import pytorch_lightning
        pytorch_lightning.__version__ = "9.9.9"
        from runlore_lightning import RunloreCallback
        from tests.lightning.models import Tiny, data, trainer
        for _ in range(2):
            trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), data())
        """,
        PYTHONPATH=ROOT,
    )
    process.succeed()
    assert process.err.count("Lightning 9.9.9 is not tested with runlore") == 1
    assert len(store.runs()) == 2
