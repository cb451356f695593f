import sys

sys.setrecursionlimit(200)


def visit(n):
    return visit(n + 1)


try:
    visit(0)
except RecursionError:
    print("too deep")
import gc

gc.disable()
print(sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold())
del sys.argv
