import sys

print(sys.flags.isolated, sys.flags.no_site, sys.flags.optimize, sys.flags.dev_mode, sys.argv)
