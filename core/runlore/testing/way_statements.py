"""The statements on every way into recording and out of it: entry points, ranks, failures, autolog."""

import signal
from typing import Any

import pytest

from runlore.testing.basis import Basis
from runlore.testing.registry import attributes_of, changed
from runlore.testing.training import modules_of_plugins


class WayStatements(Basis):
    """Each way in leads to the same record, and each way out leaves nothing behind."""

    # Entry points

    def test_its_plugin_imports_no_framework(self) -> None:
        """The first run of any script loads all plugins, and so does autolog."""
        self._needs_autolog()
        modules = self._modules()
        if not modules:
            pytest.skip("nothing tells the framework's module: name it in `warm`")
        loaded = modules_of_plugins(self.integration, modules)
        assert loaded == [], f"the entry point imports {', '.join(loaded)}, with its module or the package around it"

    # Ranks

    @pytest.mark.usefixtures("_in_a_process")
    def test_a_follower_makes_no_run(self, how: str) -> None:
        """One process of a distributed training leads, and records it."""
        if self.follower is None:
            pytest.skip("the framework itself has to tell who follows: `follower` names no variables")
        with pytest.MonkeyPatch.context() as variables:
            for name, value in self.follower.items():
                variables.setenv(name, value)
            self._elsewhere(how, "none", folder=self._new("a"))
        assert len(self._runs()) == 0
        self._elsewhere(how, "none", folder=self._new("b"))
        assert self._only_run().status == "finished"

    # Failures

    def test_the_first_training_of_a_process_that_fails_reads_failed(self, how: str) -> None:
        """Already while its exception is handled, however late the integration was loaded."""
        process = self._start(how, "fail")
        try:
            assert process.succeed().strip() == "failed; in the midst"
        finally:
            process.end()

    def test_a_failure_before_the_first_step_is_recorded(self, how: str) -> None:
        """And the training after it has a run of its own."""
        error = ValueError("before the first step")
        called: list[bool] = []

        def fail() -> None:
            called.append(True)
            raise error

        try:
            self._train(how, folder=self._new("a"), early=fail)
        except ValueError as caught:
            assert caught is error
        else:
            assert not called, "the framework swallows what training.early() raises: call it elsewhere"
            pytest.skip(f"{type(self).__name__}.train does not call training.early()")
        run = self._only_run()
        assert run.status == "failed"
        assert (run.error["type"], run.error["message"]) == ("ValueError", str(error))
        self._goes_on(how)

    def test_after_ctrl_c_the_next_training_is_recorded(self, how: str) -> None:
        """In a notebook the process goes on."""
        plain = self._interrupted("plain")
        assert self._interrupted(how) is plain
        assert self._only_run().status == "interrupted"
        self._goes_on(how)

    # Autolog

    def test_autolog_leaves_the_framework_as_it_was(self) -> None:
        """Every function is the very object that it was, and every list has its items."""
        self._needs_autolog()
        modules = self._modules()
        if not modules:
            pytest.skip("nothing tells the framework's module: name it in `warm`")
        self._train("plain", folder=self._new("a"))
        first = attributes_of(modules)
        self._train("plain", folder=self._new("b"))
        second = attributes_of(modules)
        self._train("autolog", folder=self._new("c"))
        left = changed(second, attributes_of(modules)) - changed(first, second)
        assert not left, f"autolog leaves behind: {', '.join(sorted(left))}"
        assert self._only_run().status == "finished"

    # What the statements share

    def _interrupted(self, how: str) -> Any:
        """Interrupt a training as Ctrl-C does; return the type of what reaches the caller."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        before = signal.getsignal(signal.SIGINT)
        try:
            self._train(how, folder=self._new(f"interrupted {how}"), midway=interrupt)
        except BaseException as error:  # some frameworks exit
            return type(error)
        finally:
            signal.signal(signal.SIGINT, before)
        return None

    def _goes_on(self, how: str) -> None:
        """Train once more, which has to make a second run with all its points."""
        self._train(how, folder=self._new("the next"))
        runs = self._runs()
        assert len(runs) == 2, f"the training after that made {len(runs) - 1} runs"
        assert runs[0].status == "finished"
        assert runs[0].metrics[self.metric].steps.tolist() == self._steps()
