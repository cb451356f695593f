import os
import time

CONFIG = dict(lr=1e-3, batch=32)
here = os.path.dirname(os.path.abspath(__file__))
os.makedirs("exp/run_0", exist_ok=True)
os.chdir("exp/run_0")
with open("config.txt", "w") as f:
    for k, v in CONFIG.items():
        f.write(f"{k}: {v}\n")
os.chdir(here)
print(sorted(os.listdir("exp/run_0")), os.path.relpath(__file__))
os.chdir("exp")
