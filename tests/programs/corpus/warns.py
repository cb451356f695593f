import warnings


def old():
    warnings.warn("use new()", DeprecationWarning, stacklevel=2)


old()
warnings.warn("learning rate is high")
open("leak.txt", "w").write("x")
assert warnings.filters is not None
warnings.simplefilter("error")
try:
    warnings.warn("now it counts")
except UserWarning as e:
    print("caught", e)
