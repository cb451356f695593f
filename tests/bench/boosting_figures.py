"""What recording costs a fit of 100 rounds with xgboost, lightgbm and catboost: own hooks, and what is paid once."""

from tests.bench.figures import World, figure, floor
from tests.bench.trainer_figures import TIMED

ON_CPU = TIMED.replace("perf_counter", "thread_time")  # each training below is of one thread
DATA = """
import numpy as np
x = np.random.default_rng(0).normal(size=(30_000, 30)).astype("float32")
y = (x[:, 0] * x[:, 1] > 0).astype(int)
"""

XGBOOST = (
    ON_CPU
    + DATA
    + """
import xgboost
from runlore_xgboost import RunloreCallback, _training

class Empty(xgboost.callback.TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        return False

def fit(kind):
    train, test = xgboost.DMatrix(x, y, nthread=1), xgboost.DMatrix(x[:6000], y[:6000], nthread=1)
    began = time.thread_time()
    callbacks = {"runlore": [RunloreCallback()], "empty": [Empty()]}.get(kind)
    xgboost.train({"objective": "binary:logistic", "nthread": 1}, train, 100, evals=[(train, "train"), (test, "test")],
                  verbose_eval=False, callbacks=callbacks)
    return time.thread_time() - began

timed(_training.Training, "begin", "fixed")
timed(_training, "record_data", "data")
timed(_training.Training, "end", "fixed")
timed(_training.Training, "_resolved", "resolved")
for owner in (Empty, _training.Listener):
    timed(owner, "after_iteration", "hooks")
"""
)

LIGHTGBM = (
    ON_CPU
    + DATA
    + """
import lightgbm
from runlore_lightgbm import RunloreCallback, _training

class Empty:
    order, before_iteration = 0, False
    def __call__(self, env):
        pass

def fit(kind):
    train = lightgbm.Dataset(x, y)
    sets = [train, lightgbm.Dataset(x[:6000], y[:6000], reference=train)]
    began = time.thread_time()
    callbacks = {"runlore": [RunloreCallback()], "empty": [Empty()]}.get(kind)
    lightgbm.train({"objective": "binary", "num_threads": 1, "verbosity": -1}, train, 100, valid_sets=sets,
                   callbacks=callbacks)
    return time.thread_time() - began

timed(_training.Training, "begin", "fixed")
timed(_training, "record_data", "data")
timed(_training.Training, "end", "fixed")
timed(_training.Training, "_resolved", "resolved")
for owner in (Empty, _training.Listener):
    timed(owner, "__call__", "hooks")
"""
)

CATBOOST = (
    ON_CPU
    + DATA
    + """
import catboost
from runlore_catboost import RunloreCallback, _training

class Empty:
    def after_iteration(self, info):
        return True

def fit(kind):
    train, test = catboost.Pool(x, y, thread_count=1), catboost.Pool(x[:6000], y[:6000], thread_count=1)
    callbacks = {"runlore": [RunloreCallback()], "empty": [Empty()]}.get(kind)
    model = catboost.CatBoostClassifier(iterations=rounds, thread_count=1, verbose=0, allow_writing_files=False)
    began = time.thread_time()
    model.fit(train, eval_set=test, callbacks=callbacks)
    return time.thread_time() - began

rounds = 100
timed(_training.Training, "begin", "fixed")
timed(_training, "record_data", "data")
timed(_training.Training, "end", "fixed")
for owner in (Empty, _training.Listener):
    timed(owner, "after_iteration", "hooks")
"""
)

SHARE = "shares, _, _ = report(sys.argv[1], fit); print(shares[sys.argv[2]] * 100)"
# What a booster made of its params is asked for at the first round, and paid once.
HOOKS = "shares, _, _ = report(sys.argv[1], fit); print((shares['hooks'] - shares.get('resolved', 0)) * 100)"
FIXED = "_, spent, _ = report('runlore', fit); print((spent['fixed'] - spent['data'] + spent.get('resolved', 0)) * 1e3)"
PLAIN = "fit('plain'); print(fit('plain') * 1e3)"


@figure("xgboost: own hooks in a fit of 100 rounds, two sets, CPU", "%", 1, beside="xgboost: empty hooks, CPU")
def xgboost_hooks(world: World) -> float:
    return float(world.python(XGBOOST + HOOKS, "runlore"))


@figure("xgboost: fingerprints of both sets in that fit, CPU", "%", 1, beside="xgboost: empty hooks, CPU")
def xgboost_data(world: World) -> float:
    return float(world.python(XGBOOST + SHARE, "runlore", "data"))


@figure("xgboost: fixed cost of a fit, CPU", "ms", 5, beside="xgboost: that fit without us, CPU")
def xgboost_fixed(world: World) -> float:
    return float(world.python(XGBOOST + FIXED))


@floor("xgboost: that fit without us, CPU", "ms")
def xgboost_plain(world: World) -> float:
    return float(world.python(XGBOOST + PLAIN))


@floor("xgboost: empty hooks, CPU", "%")
def xgboost_empty(world: World) -> float:
    return float(world.python(XGBOOST + HOOKS, "empty"))


@figure("lightgbm: own hooks in a fit of 100 rounds, two sets, CPU", "%", 1, beside="lightgbm: empty hooks, CPU")
def lightgbm_hooks(world: World) -> float:
    return float(world.python(LIGHTGBM + HOOKS, "runlore"))


@figure("lightgbm: fingerprints of both sets in that fit, CPU", "%", 1, beside="lightgbm: empty hooks, CPU")
def lightgbm_data(world: World) -> float:
    return float(world.python(LIGHTGBM + SHARE, "runlore", "data"))


@figure("lightgbm: fixed cost of a fit, CPU", "ms", 5, beside="lightgbm: that fit without us, CPU")
def lightgbm_fixed(world: World) -> float:
    return float(world.python(LIGHTGBM + FIXED))


@floor("lightgbm: that fit without us, CPU", "ms")
def lightgbm_plain(world: World) -> float:
    return float(world.python(LIGHTGBM + PLAIN))


@floor("lightgbm: empty hooks, CPU", "%")
def lightgbm_empty(world: World) -> float:
    return float(world.python(LIGHTGBM + HOOKS, "empty"))


@figure("catboost: own hooks in a fit of 100 rounds, two sets, CPU", "%", 1, beside="catboost: empty hooks, CPU")
def catboost_hooks(world: World) -> float:
    return float(world.python(CATBOOST + HOOKS, "runlore"))


@figure("catboost: fingerprints of both sets in that fit, CPU", "%", 1, beside="catboost: empty hooks, CPU")
def catboost_data(world: World) -> float:
    return float(world.python(CATBOOST + SHARE, "runlore", "data"))


@figure("catboost: fixed cost of a fit, CPU", "ms", 5, beside="catboost: that fit without us, CPU")
def catboost_fixed(world: World) -> float:
    return float(world.python(CATBOOST + FIXED))


@figure(
    "catboost: a fit of 1,000 rounds with an empty callback", "× plain", beside="catboost: that fit without us, CPU"
)
def catboost_callbacks(world: World) -> float:
    return float(world.python(CATBOOST + "rounds = 1000; print(fit('empty') / fit('plain'))"))


@floor("catboost: that fit without us, CPU", "ms")
def catboost_plain(world: World) -> float:
    return float(world.python(CATBOOST + PLAIN))


@floor("catboost: empty hooks, CPU", "%")
def catboost_empty(world: World) -> float:
    return float(world.python(CATBOOST + HOOKS, "empty"))
