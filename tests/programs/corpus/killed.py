import os
import signal
import sys

print("allocating 900 GB", flush=True)
open("partial.txt", "w").write("step 1\n")
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
signal.pause()
