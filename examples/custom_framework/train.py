"""Train three nets on generated data; afterwards look at them with `runlore ls`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from runlore_tinynet import RunloreCallback
from tinynet import Settings, Trainer

chance = np.random.default_rng(0)
X = chance.normal(size=(256, 4))
y = np.sin(X[:, 0]) + 0.1 * chance.normal(size=256)

with TemporaryDirectory() as folder:
    for lr in (0.01, 0.05, 0.1):
        Trainer(Settings(lr=lr, epochs=10), [RunloreCallback()], Path(folder)).fit(X, y)
print("runlore ls --sort=metrics.loss")
