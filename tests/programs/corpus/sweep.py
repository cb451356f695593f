import json
import subprocess
import sys

best = None
for lr in (0.1, 0.01):
    done = subprocess.run([sys.executable, "worker.py", "--lr", str(lr)], capture_output=True, text=True)
    print(done.stdout, end="")
    print("returned", done.returncode)
    result = json.load(open(f"result_{lr}.json"))
    if best is None or result["loss"] < best["loss"]:
        best = result
print("best:", best)
subprocess.check_call([sys.executable, "-c", "print('child of the sweep')"])
sys.exit(subprocess.call([sys.executable, "worker.py", "--lr", "-1"]))
