import sys

import part

print("folder", sys.argv[1:], part.NAME, sys.path[0].rsplit("/", 1)[1])
