import os
import sys

print("parent begins", flush=True)
for rank in range(3):
    pid = os.fork()
    if pid == 0:
        with open(f"rank{rank}.txt", "w") as f:
            f.write(str(rank**2))
        print("worker", rank)
        sys.stdout.flush()
        if rank == 2:
            sys.exit(0)  # runs atexit handlers, too
        os._exit(rank)
    _, status = os.waitpid(pid, 0)
    print("ended with", os.waitstatus_to_exitcode(status), flush=True)
