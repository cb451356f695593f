from math import *

from config import *

__all__ = ["sigmoid", "Layer"]


def sigmoid(x):
    return 1 / (1 + exp(-x))


class Layer:
    w = 0.0

    def step(self, x, y):
        p = sigmoid(self.w * x)
        self.w -= LR * (p - y) * x
        return p
