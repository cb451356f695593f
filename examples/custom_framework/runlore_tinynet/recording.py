"""The callback, which translates a trainer's events: every fit is a run, and evaluations add to it."""

from dataclasses import asdict

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import ByIdentity

from tinynet.training import Callback

RUNS = ByIdentity()  # of trainers, each with the run of its last fit


class RunloreCallback(Callback):
    session = None

    def on_fit_start(self, trainer, resume_from):
        self.session = FitSession.begin(
            "tinynet",
            guest.FitRequest(resume_from=resume_from, after=RUNS.get(trainer)),
            params=lambda: asdict(trainer.settings),
        )
        if self.session:
            RUNS.set(trainer, self.session.run)

    def on_step_end(self, trainer, loss):
        values = {"loss": loss, **trainer.metrics}
        self.session.metrics(values, step=trainer.step, epoch=trainer.epoch)

    def on_save(self, trainer, path, loss):
        at = {"step": trainer.step, "epoch": trainer.epoch}
        self.session.checkpoint(path, **at, monitor="loss", value=loss)

    def on_remove(self, trainer, path):
        self.session.check_removed()

    def on_fit_end(self, trainer, error):
        if self.session is None:  # a callback before this one has failed
            self.on_fit_start(trainer, None)
        if trainer.why_stopped is not None:
            self.session.stopped(trainer.why_stopped, step=trainer.step, epoch=trainer.epoch)
        self.session.end(error)
        self.session = None

    def on_evaluate_end(self, trainer, X, y, results):
        run = RUNS.get(trainer)
        found = None
        if guest.in_fit():  # a part of another training
            return
        if run is not None:
            found = Additions(run, trainer.step, trainer.epoch)
        elif trainer.loaded_from is not None:
            found = Additions.to_writer_of(trainer.loaded_from)
        if found is not None:
            named = found.evaluated_on("test", {"test": X, "test_y": y})
            found.metrics(
                {f"{name}{named.ending}": value for name, value in results.items()}, split="test"
            )
            if named.is_new:
                found.data(named.name_of("test"), X)
            found.close()
