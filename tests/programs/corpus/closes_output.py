import os
import sys

print("last words")
sys.stdout.flush()
os.close(1)
sys.stdout = None
print("unheard")
with open("after.txt", "w") as f:
    f.write("still here\n")
os.close(2)
os._exit(4)
