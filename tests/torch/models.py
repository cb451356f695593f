"""A tiny model, data, and a loop as people write it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.2), nn.Linear(4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def data(rows: int = 16, **settings: Any) -> Any:
    x = torch.randn(rows, 3, generator=torch.Generator().manual_seed(7))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4, **settings)


def train(
    epochs: int = 2, lr: float = 0.1, *, each: Callable[[int, float], object] = lambda step, loss: None, **settings: Any
) -> Any:
    """Train, calling `each` with step and loss, and return the weights."""
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, **settings)
    step = 0
    for _ in range(epochs):
        for x, y in data(shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            step += 1
            each(step, loss.item())
    return [weights.tolist() for weights in model.parameters()]
