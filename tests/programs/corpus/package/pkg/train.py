import sys

from . import VERSION
from .model import Model

if __name__ == "__main__":
    print(__package__, __spec__.name, sys.argv[1:], VERSION)
    Model().fit()
