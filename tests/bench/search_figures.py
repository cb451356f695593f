"""What recording costs a trial of Optuna, beside the trial itself."""

from tests.bench.figures import World, figure, floor

STUDY = """
import time
import optuna, runlore
optuna.logging.set_verbosity(optuna.logging.ERROR)

def quick(trial):
    value = trial.suggest_float("x", -1, 1) * trial.suggest_int("y", 0, 5)
    trial.report(value, 0)
    return value

def milliseconds(objective, is_recorded, count=100):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    log = runlore.autolog("optuna")
    if not is_recorded:
        log.disable()
    began = time.process_time()
    study.optimize(objective, n_trials=count)
    took = time.process_time() - began
    log.disable()
    return took / count * 1e3

milliseconds(quick, True, 5)
"""
ADDED = "print(sorted(milliseconds(quick, True) - milliseconds(quick, False) for _ in range(5))[2])"


@figure("Optuna: added to a trial, CPU", "ms", 1, beside="Optuna: a trial that draws two params, CPU")
def trial_added(world: World) -> float:
    return float(world.python(STUDY + ADDED))


@floor("Optuna: a trial that draws two params, CPU", "ms")
def trial_plain(world: World) -> float:
    return float(world.python(STUDY + "print(milliseconds(quick, False))"))
