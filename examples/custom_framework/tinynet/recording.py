"""tinynet's integration: every fit is a run."""

from dataclasses import asdict

from runlore import FitSession, guest, hookimpl
from runlore.hookspecs import Integration

from tinynet.training import Callback, default_callbacks


class RunloreCallback(Callback):
    def on_fit_start(self, trainer, resume_from):
        settings = trainer.settings
        self.session = FitSession.begin(
            "tinynet", guest.FitRequest(resume_from=resume_from), params=lambda: asdict(settings)
        )

    def on_step_end(self, trainer, loss):
        self.session.metrics({"loss": loss}, step=trainer.step, epoch=trainer.epoch)

    def on_save(self, trainer, path, loss):
        self.session.checkpoint(path, step=trainer.step, epoch=trainer.epoch, value=loss)

    def on_fit_end(self, trainer, error):
        self.session.end(error)


@hookimpl
def runlore_register_integrations():
    return [Integration("tinynet", "tinynet.training", enable, disable)]


def enable():
    default_callbacks.append(RunloreCallback)


def disable():
    default_callbacks.remove(RunloreCallback)
