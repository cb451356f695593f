import random
from random import randint, seed

seed(7)
print(random.random(), randint(0, 9), random.getstate()[1][:3])
r = random.Random(3)
print(r.random(), random.seed.__name__)
try:
    random.seed([])
except TypeError as e:
    import traceback

    traceback.print_exc()
random.seed(7)
print(random.random(), hash(("fixed", 1)) == hash(("fixed", 1)))
