"""Integrations that are broken in one way each, and the statement of the contract that tells."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One text of a file of `mini` replaced by another; `statement` has to fail, and to say `says`."""

    name: str
    right: str
    wrong: str
    statement: str
    more: str = ""  # code behind the file
    file: str = "recording.py"
    says: str = ""


STEP = 'self.session.metrics({"loss": trainer.loss}, step=trainer.step, epoch=trainer.epoch)'
SAVE = 'self.session.checkpoint(trainer.path or "", step=trainer.step, epoch=trainer.epoch)'
BEGIN = "self.session = FitSession.begin("
HEARD = "self._trainer = trainer\n"
RAISED = """    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)
    return result
"""
LEFT = """    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)


def _evaluate"""
WRITER = "found = Additions.to_writer_of(trainer.loaded_from)\n"
SAME = "test_a_recorded_training_is_the_same_training"
POINTS = "test_points_are_those_that_the_framework_tells"
EVERY_STEP = "test_every_step_has_its_point_once"
EXCEPTION = "test_an_exception_reaches_the_caller"
PARAMS = "test_params_are_written_before_the_middle"
TURNS = "test_generators_that_take_turns"
AS_IT_WAS = "test_autolog_leaves_a_trainer_as_it_was"
OF_THEIR_STEP = "test_checkpoints_are_of_the_step"
RECORDED = "test_checkpoints_are_recorded_and_the_last_one_kept"
STOPS = "test_a_training_that_stops_early"
APART = "test_evaluations_keep_apart"
OF_ITS_STEP = "test_an_evaluation_of_a_checkpoint_is_of_its_step"

GLOBAL = """
SESSIONS = []


def one_session(*args, **kwargs):
    if not SESSIONS or SESSIONS[-1].run.ended:
        SESSIONS.append(FitSession.begin(*args, **kwargs))
    return SESSIONS[-1]
"""
ITS_OWN = """
def its_own(name, request, params):
    import runlore

    return FitSession(name, runlore.start_run(params=params(), tags={"integration": name}), owned=True)
"""
BUFFERING = """
class Buffering(Recording):
    def _step(self, trainer):
        self.__dict__.setdefault("rows", []).append((trainer.loss, trainer.step, trainer.epoch))

    def end(self, error):
        for loss, step, epoch in self.__dict__.get("rows", []):
            self.session.metrics({"loss": loss}, step=step, epoch=epoch)
        super().end(error)


Recording = Buffering
"""

NO_PARAMS = """
begin = FitSession.begin


def without_params(name, request, params):
    return begin(name, request)


FitSession.begin = without_params
"""

BROKEN = [
    # Ways in and out
    Mutant("follows nobody", "resume_from=resume_from)", "resume_from=resume_from, leader=True)", "test_a_follower"),
    Mutant("forgets Ctrl-C", RAISED, RAISED.replace("BaseException", "Exception"), "test_after_ctrl_c"),
    Mutant("forgets early failures", RAISED, RAISED.replace("end(error)", "end(error if trainer.step else None)"),
           "test_a_failure_before_the_first_step"),
    Mutant("ends with the process", RAISED, RAISED.replace("        recording.end(error)\n", ""),
           "test_the_first_training_of_a_process"),
    Mutant("keeps its wrappers", '"fit", _fit)', '"fit", _fit)\n    wrappers._done.clear()',
           "test_autolog_leaves_the_framework"),
    Mutant("can't be switched off", 'WRAPPED.unwant("autolog")', "pass", "test_autolog_twice", file="plugin.py"),
    Mutant("imports the framework", "import Integration, hookimpl\n",
           "import Integration, hookimpl\n\nfrom . import recording\n", "test_its_plugin_imports", file="plugin.py"),
    Mutant("imports it with the package", '"""A framework', 'from .framework import Trainer\n"""A framework',
           "test_its_plugin_imports", file="__init__.py", says="the entry point imports mini.framework"),
    # Trainings within others, at the same time, by steps
    Mutant("starts a run itself", BEGIN, "self.session = its_own(", "test_a_training_within_another", ITS_OWN),
    Mutant("has one session", BEGIN, "self.session = one_session(", "test_a_training_that_begins_midway", GLOBAL),
    Mutant("never ends a generator", LEFT, LEFT.replace("    recording.end(None)\n", ""), TURNS),
    Mutant("never pauses", "session.pause(returned=False)", "pass", TURNS),
    Mutant("forgets a dropped generator", LEFT, LEFT.replace("BaseException", "Exception"),
           "test_a_generator_that_waits"),
    # Trainers
    Mutant("leaves its handlers", "self._trainer.handlers[event].remove(handler)", "pass", AS_IT_WAS),
    Mutant("leaves an attribute", HEARD, HEARD + "        trainer.session = self.session\n", AS_IT_WAS),
    Mutant("holds the trainer", HEARD, HEARD + "        HELD.append(trainer)\n", "test_a_trainer_is_let_go",
           "\nHELD = []\n"),
    Mutant("listens once", "for event, handler in self._heard.items():\n            trainer.on",
           "self._heard = {} if RUNS.get(trainer) else self._heard\n"
           "        for event, handler in self._heard.items():\n            trainer.on",
           "test_a_trainer_that_is_fitted_twice"),
    # What belongs to the training
    Mutant("draws", STEP, f"{STEP}; __import__('random').random()", SAME),
    Mutant("seeds", STEP, f"{STEP}; __import__('random').seed(2)", SAME),
    Mutant("changes the history", STEP, f"{STEP}; trainer.history.append(0.0)", SAME),
    Mutant("changes the loss", STEP, f"{STEP}; trainer.loss = 0.0", SAME),
    Mutant("warns", STEP, f"{STEP}; __import__('warnings').warn('recorded')", SAME),
    Mutant("leaves a file", STEP, f"{STEP}; Path('note.txt').write_text('')", SAME),
    Mutant("sets a variable", STEP, f"{STEP}; __import__('os').environ.update(RUN='1')", SAME),
    Mutant("swallows", RAISED, RAISED.replace("        raise\n", "        return 0.0\n"), EXCEPTION),
    Mutant("tells no error", RAISED, RAISED.replace("end(error)", "end(None)"), EXCEPTION),
    Mutant("prints", STEP, f"{STEP}; print('recorded')", SAME, says="printed lines"),
    Mutant("prints once", HEARD, f"{HEARD}        print('recorded')\n", SAME, says="printed lines"),
    Mutant("raises in a hook", STEP, f"{STEP}; raise OSError('a full disk')", SAME),
    Mutant("raises for odd metrics", "self.session.metrics(trainer.metrics,",
           "self.session.metrics({key: float(value) for key, value in trainer.metrics.items()},",
           "test_an_unusual_metric"),
    # Points and params
    Mutant("is a step late", STEP, STEP.replace("step=trainer.step", "step=trainer.step - 1"), EVERY_STEP),
    Mutant("tells the loss before", STEP, STEP.replace("trainer.loss}", "self.__dict__.get('last', 0.5)}")
           + "; self.last = trainer.loss", POINTS),
    Mutant("tells epoch 0", STEP, STEP.replace("epoch=trainer.epoch", "epoch=0"), POINTS),
    Mutant("tells no epoch", STEP, STEP.replace(", epoch=trainer.epoch", ""), POINTS),
    Mutant("tells no step", STEP, STEP.replace("step=trainer.step, ", ""), EVERY_STEP),
    Mutant("tells a point twice", STEP, f"{STEP}; {STEP.replace('step=trainer.step', 'step=trainer.step + 1')}",
           EVERY_STEP),
    Mutant("tells params at the end", "self.session.end(error)",
           "self.session.params(lambda: {'lr': self._trainer.lr}); self.session.end(error)", PARAMS, NO_PARAMS),
    Mutant("tells every second step", STEP, f"if trainer.step % 2: {STEP}", EVERY_STEP),
    Mutant("tells a constant", STEP, STEP.replace("trainer.loss}", "0.0}"), EVERY_STEP),
    Mutant("buffers", "def _fit(", "def _fit(", "test_a_killed_training_reads_crashed", BUFFERING),
    Mutant("tells a text", '{"lr": trainer.lr', '{"lr": str(trainer.lr)', PARAMS),
    Mutant("tells another name", '{"lr": trainer.lr', '{"rate": trainer.lr', PARAMS,
           says="'lr' is not among the recorded params"),
    Mutant("has another name", '"mini",\n', '"tiny",\n', "test_the_status_is_true"),
    # Checkpoints
    Mutant("tells the next step", SAVE, SAVE.replace("trainer.step", "trainer.step + 1"), OF_THEIR_STEP),
    Mutant("tells the next epoch", SAVE, SAVE.replace("trainer.epoch", "trainer.epoch + 1"), OF_THEIR_STEP),
    Mutant("saves nothing", SAVE, "pass", RECORDED),
    Mutant("tells no step of a checkpoint", SAVE, SAVE.replace("step=trainer.step, ", ""), RECORDED),
    Mutant("tells no role", SAVE, SAVE.replace("epoch=", "roles=(), epoch="), RECORDED),
    Mutant("tells no removal", "        self.session.check_removed()\n", "        pass\n",
           "test_a_checkpoint_that_the_framework_removes"),
    Mutant("resumes nothing", "resume_from=resume_from)", "resume_from=None)", "test_a_finished_training_that_goes_on"),
    # Ends and evaluations
    Mutant("tells no reason", "if self._trainer.why_stopped is not None:", "if False:", STOPS),
    Mutant("tells another step", "why_stopped, step=self._trainer.step",
           "why_stopped, step=self._trainer.step + 1", STOPS),
    Mutant("always tells a reason",
           "if self._trainer.why_stopped is not None:\n            self.session.stopped(self._trainer.why_stopped",
           "if True:\n            self.session.stopped('it was its end'", STOPS),
    Mutant("goes on behind the end", "self.session.end(error)\n",
           "self.session.end(error)\n        self.session.run.log_metrics({'loss': 0.0})\n", SAME),
    Mutant("has one set", "{name + named.ending: value for", "{name: value for", APART),
    Mutant("evaluates into the fit", "{name + named.ending: value for", "{'loss': value for", APART),
    Mutant("evaluates nothing", "if found is not None:", "if False:", APART),
    Mutant("evaluates at its own step", 'split="test")', 'split="test", step=1)', APART),
    Mutant("evaluates as a run", "    run = RUNS.get(trainer)\n",
           "    FitSession.begin('mini').end()\n    run = RUNS.get(trainer)\n", APART),
    Mutant("evaluates at the last step", WRITER, WRITER + "        found.step = 16\n", OF_ITS_STEP),
    Mutant("evaluates at no epoch", WRITER, WRITER + "        found.epoch = 0.5\n", OF_ITS_STEP),
    # What an author forgets
    Mutant("names no metric", 'metric = "loss"', "", EVERY_STEP, file="contract.py", says="TestMini lacks: metric"),
    Mutant("returns nothing", "return trainer.weight, trainer.history, trainer.loss", "pass", EVERY_STEP,
           file="contract.py", says="TestMini.train returned None"),
    Mutant("calls no midway", "training.midway()", "pass", EVERY_STEP, file="contract.py",
           says="did not call training.midway()"),
    Mutant("mistypes a way", '("autolog",)', '("autlog",)', EVERY_STEP, file="contract.py",
           says="TestMini.hows has 'autlog'"),
    Mutant("names no checkpoint", "def checkpoint(", "def other(", EVERY_STEP, file="contract.py",
           says="the method checkpoint(folder), or has_checkpoints = False"),
    Mutant("does not train", "def fit(", "def other(", EVERY_STEP, file="contract.py",
           says="the method train(training), or make(training) and fit(trainer, training)"),
]  # fmt: skip
NOTHING = Mutant("records nothing", "    wrappers.wrap(Trainer, ", "    lambda *_: (Trainer, ", "")
