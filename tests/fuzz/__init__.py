"""Seeded fuzzers: a few inputs each in the suite, 100,000 by `make fuzz`.

`inputs` gives the numbers of the inputs. A fuzzer builds each input from its number alone (`random.Random(number)`), so
that one that fails is tried again by its number, and many can be tried in parts: `RUNLORE_FUZZ=20000:30000`.
"""

import os

_FIRST, _, _END = os.environ.get("RUNLORE_FUZZ", "0").rpartition(":")
MANY = range(int(_FIRST or 0), int(_END))  # inputs of each fuzzer; none: as few as the suite has time for


def inputs(few: int) -> range:
    """Return the numbers of the inputs that a fuzzer tries: `few` in the suite, all by `make fuzz`."""
    return MANY or range(few)
