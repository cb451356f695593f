"""What scripts look at: themselves."""
import inspect
import os
import sys

import __main__


def f(x=1):
    return x


print(__name__, __doc__, os.path.basename(__file__), sys.argv, sys.path[0] == os.getcwd(), __main__.f is f)
print(inspect.getsource(f), inspect.signature(f), [os.path.basename(i.filename) for i in inspect.stack()])
print(sorted(k for k in vars(__main__) if k.startswith("__")), __spec__, __builtins__.__name__)
print([n for n in ("pluggy", "click", "rich", "numpy", "json", "threading", "re", "typing") if n in sys.modules])
print(sys.excepthook is sys.__excepthook__, sys.stdout is sys.__stdout__, sys.gettrace(), sys.getprofile(), __debug__)
print(sorted(os.listdir("/proc/self/fd"), key=int)[:-1], os.getpid() == os.getpgid(0))
