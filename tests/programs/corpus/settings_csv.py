"""Fit y = a x + b by gradient descent; settings by argparse, results as CSV."""
import argparse
import csv
import os
import random

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--out", default="results")
parser.add_argument("--verbose", action="store_true")
args = parser.parse_args()

random.seed(42)
data = [(x / 10, 3 * x / 10 + 1 + random.gauss(0, 0.1)) for x in range(20)]
a = b = 0.0
os.makedirs(args.out, exist_ok=True)
with open(os.path.join(args.out, "log.csv"), "w", newline="") as f:
    writer = csv.writer(f)
    writer.writerow(["epoch", "loss"])
    for epoch in range(args.epochs):
        loss = 0.0
        for x, y in data:
            error = a * x + b - y
            loss += error**2
            a -= args.lr * error * x
            b -= args.lr * error
        writer.writerow([epoch, loss / len(data)])
        print(f"epoch {epoch}: loss {loss / len(data):.4f}")
print("a = %.3f, b = %.3f" % (a, b))
