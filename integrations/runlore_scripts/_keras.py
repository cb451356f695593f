"""Models that Keras saves and loads outside a fit; those of a known fit are recorded with that."""

import keras

from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import reads, writes


def follow(wrappers: Wrappers) -> None:
    """Follow what saves and loads models and weights."""
    wrappers.follow(keras.Model, "save", writes("model", 1, "filepath"))
    wrappers.follow(keras.Model, "export", writes("model", 1, "filepath"))
    wrappers.follow(keras.Model, "save_weights", writes("model", 1, "filepath"))
    wrappers.follow(keras.Model, "load_weights", reads("keras.Model.load_weights", 1, "filepath"))
    wrappers.follow(keras.saving, "save_model", writes("model", 1, "filepath"), also=[keras.models])
    wrappers.follow(keras.saving, "load_model", reads("keras.saving.load_model", 0, "filepath"), also=[keras.models])
