import sys

import config
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

rate = 0.1
n_samples = 4 * 25
sizes = [3, 2]
best = 0.0
seen = []
if True:
    mode = "fast"


class Model:
    C = 2.0
    max_iter = 50


def learn():
    global best
    scale = 1.0
    X, y = make_classification(n_samples, random_state=0)
    model = LogisticRegression(C=Model.C, max_iter=Model.max_iter).fit(X * scale, y)
    best = model.score(X, y)
    seen.append(best)


for word in sys.argv[1:]:  # as scripts do whose settings are their globals
    name, _, value = word.partition("=")
    globals()[name] = float(value)
for round in range(2):
    rounds = 1
    learn()
with open(config.PATHS["out"], "w") as file:
    file.write(f"{best > config.LEVEL}\n")
print(mode, rate, best > 0)
