"""A small network on scikit-learn's digits with Keras: one callback, no tracking code. Any backend will do.

Run it, then look: `runlore ls`, `runlore show NAME`, `runlore diff NAME NAME`, `runlore which-run FILE`
"""

import os
from tempfile import TemporaryDirectory

os.environ.setdefault("KERAS_BACKEND", "torch")  # or jax, or tensorflow

import keras  # noqa: E402  # the backend is chosen when it is imported
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

from runlore_keras import RunloreCallback  # noqa: E402


def network(rate: float) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(digits.images[..., None] / 16, digits.target, random_state=0)
    for rate in (1e-3, 1e-2):
        keras.utils.set_random_seed(0)
        with TemporaryDirectory() as folder:
            callbacks = [
                RunloreCallback(),
                keras.callbacks.ModelCheckpoint(f"{folder}/best.keras", save_best_only=True),
                keras.callbacks.EarlyStopping(patience=2),
            ]
            model = network(rate)
            model.fit(x_train, y_train, epochs=6, validation_split=0.2, verbose=0, callbacks=callbacks)
            best = keras.models.load_model(f"{folder}/best.keras")
            print(f"rate {rate}: test accuracy {best.evaluate(x_test, y_test, verbose=0)[1]:.3f}")


if __name__ == "__main__":
    main()
