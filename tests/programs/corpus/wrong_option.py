import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, required=True)
args, rest = parser.parse_known_args()
try:
    strict = argparse.ArgumentParser(exit_on_error=False)
    strict.add_argument("--lr", type=float)
    strict.parse_args(["--lr", "high"])
except argparse.ArgumentError as error:
    import traceback

    traceback.print_exc()
print("never without --epochs")
