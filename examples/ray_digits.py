"""Tune a classifier of handwritten digits with Ray on two workers; two lines of runlore, no tracking code.

Run it, then look: `runlore ls --all`, `runlore show NAME`.
"""

import runlore

runlore.autolog()

import tempfile  # noqa: E402
from typing import Any  # noqa: E402

import ray  # noqa: E402  # autolog works before and after an import
from ray import tune  # noqa: E402
from ray.tune.schedulers import ASHAScheduler  # noqa: E402


def train(config: dict[str, Any]) -> None:
    """Train a linear model round by round, in a worker of its own."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import train_test_split

    features, target = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features / 16, target, test_size=0.3, random_state=0)
    model = SGDClassifier(alpha=config["alpha"], loss=config["loss"], random_state=0)
    for _ in range(6):
        model.partial_fit(x_train, y_train, classes=range(10))
        tune.report({"score": float(model.score(x_test, y_test))})


def main() -> None:
    scheduler = ASHAScheduler(grace_period=2, reduction_factor=2)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            train,
            param_space={"alpha": tune.grid_search([1e-5, 1e-3, 1.0]), "loss": tune.grid_search(["hinge", "log_loss"])},
            tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler, reuse_actors=True),
            run_config=tune.RunConfig(name="digits", storage_path=folder, verbose=0),
        )
        best = tuner.fit().get_best_result()
        print(f"best score {best.metrics['score']:.3f} with {best.config}")


if __name__ == "__main__":
    main()
