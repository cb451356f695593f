"""Seeded fuzzers: a few inputs each in the suite, 100,000 by `make fuzz`.

`inputs` gives the numbers of the inputs. A fuzzer builds each input from its number alone (`random.Random(number)`), so
that one that fails is tried again by its number.
"""

import os

MANY = int(os.environ.get("RUNLORE_FUZZ", "0"))  # inputs of each fuzzer; 0: as few as the suite has time for


def inputs(few: int) -> range:
    """Return the numbers of the inputs that a fuzzer tries: `few` in the suite, all by `make fuzz`."""
    return range(MANY or few)
