import sys


class Tee:
    def __init__(self, path):
        self.file = open(path, "w")
        self.stdout = sys.stdout

    def write(self, text):
        self.file.write(text)
        self.stdout.write(text.upper())

    def flush(self):
        self.stdout.flush()


sys.stdout = Tee("log.txt")
sys.stderr = sys.stdout
print("epoch 1")
print("a warning", file=sys.stderr)
