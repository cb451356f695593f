import atexit
import sys
import weakref


class Writer:
    def __del__(self):
        sys.stderr.write("writer closed\n")


w = Writer()
cycle = [w]
cycle.append(cycle)
atexit.register(lambda: print("first registered, runs last"))
atexit.register(sys.stderr.write, "to stderr\n")
atexit.register(lambda: print("main has a file:", "__file__" in globals()))
weakref.finalize(w, print, "finalized")
print("end of script")
