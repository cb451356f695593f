import atexit
import time

atexit.register(print, "saved at exit")
try:
    for step in range(100):
        if step == 3:
            raise KeyboardInterrupt
        print("step", step)
finally:
    print("cleaning up")
