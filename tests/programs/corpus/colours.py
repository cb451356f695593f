import shutil
import sys

GREEN, END = ("\033[92m", "\033[0m")
for epoch in range(2):
    for done in range(0, 101, 20):
        sys.stderr.write(f"\rEpoch {epoch}: {done:3d}%|{'█' * (done // 10):<10}|")
    sys.stderr.write("\n")
    print(f"{GREEN}✓ epoch {epoch} done{END}" if sys.stdout.isatty() else f"epoch {epoch} done")
print(sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.line_buffering, shutil.get_terminal_size((80, 24)))
