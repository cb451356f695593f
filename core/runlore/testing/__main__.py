"""One training in a process of its own, for a contract."""

import sys

from runlore.testing.training import main

if __name__ == "__main__":
    main(sys.argv[1])
