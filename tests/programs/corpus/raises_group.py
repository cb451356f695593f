import sys

print("α=0.1", flush=True)
sys.stderr.write("about to fail\n")
raise ExceptionGroup("folds", [ValueError("fold 1"), KeyError("fold 2")])
