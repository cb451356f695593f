import argparse
import json

p = argparse.ArgumentParser()
p.add_argument("--lr", type=float)
a = p.parse_args()
assert a.lr > 0, "lr must be positive"
json.dump({"lr": a.lr, "loss": a.lr**2}, open(f"result_{a.lr}.json", "w"))
print("worker", a)
