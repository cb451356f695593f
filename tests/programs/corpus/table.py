import numpy as np
import pandas as pd

df = pd.read_csv("table.csv")
df["ratio"] = df.x / df.y
means = df.groupby("kind").mean()
means.to_csv("means.csv")
df.to_json("table.json")
print(means)
