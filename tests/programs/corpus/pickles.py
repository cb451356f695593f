import gzip
import pickle
import shelve
from dataclasses import dataclass, field


@dataclass
class Net:
    weights: list = field(default_factory=lambda: [0.5, -1.25])
    epoch: int = 3


pickle.dump(Net(), open("net.pkl", "wb"))
with gzip.GzipFile("net.pkl.gz", "wb", mtime=0) as f:
    pickle.dump({"net": Net(), "cls": Net}, f, protocol=4)
again = pickle.load(open("net.pkl", "rb"))
print(again, type(again).__module__, again == Net())
