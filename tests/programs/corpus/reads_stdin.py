import sys

lr = float(input("learning rate? "))
rest = sys.stdin.read().split()
print()
print("lr", lr, "rows", len(rest), sum(map(int, rest)))
