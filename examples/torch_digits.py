"""A loop of one's own in PyTorch on the digits that ship with scikit-learn; two lines of runlore, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`.
"""

import runlore

runlore.autolog()

import torch  # noqa: E402  # autolog works before and after an import
from sklearn.datasets import load_digits  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset, random_split  # noqa: E402


def train(lr: float) -> float:
    torch.manual_seed(0)
    features, target = load_digits(return_X_y=True)
    dataset = TensorDataset(torch.tensor(features / 16, dtype=torch.float32), torch.tensor(target))
    training, testing = random_split(dataset, [1500, len(dataset) - 1500])
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(5):
        for batch, labels in DataLoader(training, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch), labels).backward()
            optimizer.step()
    with torch.no_grad():
        x, y = next(iter(DataLoader(testing, batch_size=len(testing))))
        return float((model(x).argmax(1) == y).float().mean())


def main() -> None:
    for lr in (0.01, 0.0005):
        print(f"lr {lr}: test accuracy {train(lr):.3f}")


if __name__ == "__main__":
    main()
