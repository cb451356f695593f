import os
import sys
from ast import literal_eval

here = os.path.dirname(__file__)

for arg in sys.argv[1:]:
    if "=" not in arg:
        print(f"Overriding config with {arg}:")
        exec(open(os.path.join(here, arg)).read())
    else:
        key, val = arg[2:].split("=")
        globals()[key] = literal_eval(val)
        print(f"Overriding: {key} = {val}")
