import sys

best = float("inf")


def check(loss):
    global best
    if loss > best * 2:
        sys.exit("diverged at loss %.1f" % loss)
    best = min(best, loss)


for step, loss in enumerate([1.0, 0.7, 0.9, 5.0, 0.1]):
    check(loss)
    print(step, loss)
