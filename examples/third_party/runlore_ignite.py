"""runlore for pytorch-ignite, in a file of your own: `record(trainer, params={"lr": 0.1})`, then `trainer.run(…)`."""

from ignite.engine import Engine, Events

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import ByIdentity, OnDemand

RECORDED = ByIdentity()  # options and params of the engines whose runs are recorded


def record(engine, params=None, **options):
    """Let runs of an engine be recorded: the name, experiment, tags and store of `options`."""
    RECORDED.set(engine, (RunOptions.checked(**options), dict(params or {})))


@guest.unseen
def recorded(run, engine, *args, **kwargs):
    options, params = RECORDED.get(engine) or (None, None)
    if options is None:
        return run(engine, *args, **kwargs)
    with FitSession.begin("ignite", options.request(), params=params) as session:
        handler = engine.add_event_handler(Events.ITERATION_COMPLETED, log, session)
        try:
            state = run(engine, *args, **kwargs)
        finally:
            handler.remove()
        if engine.should_terminate:
            session.stopped("the engine was terminated", step=state.iteration)
        return state


def log(engine, session):
    output, state = engine.state.output, engine.state
    numbers = {**state.metrics, **(output if isinstance(output, dict) else {"loss": output})}
    session.metrics(numbers, step=state.iteration, epoch=state.epoch - 1)


OnDemand(lambda wrappers: wrappers.wrap(Engine, "run", recorded)).want("record")
