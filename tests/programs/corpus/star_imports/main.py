from config import *
from layers import *

layer = Layer()
for i in range(STEPS):
    p = layer.step(1.0, 1)
    print(name, i, round(p, 4))
print(sorted(k for k in globals() if not k.startswith("_")))
