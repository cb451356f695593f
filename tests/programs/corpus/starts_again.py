import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    print("again, with a fixed hash seed", flush=True)
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])
print({"b", "a", "c"}, hash("runs") % 1000)
