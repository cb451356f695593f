#!/bin/bash
# prepares, trains twice, and reports
set -u
python -c 'print("prepare"); open("data.txt", "w").write("1 2 3")'
for lr in 0.1 0.2; do
  python settings_csv.py --lr $lr --epochs 2 --out "out_$lr" || exit 1
done
cat out_*/log.csv | wc -l
python - <<'PY'
import sys
print("report", sys.argv, len(open("data.txt").read()))
PY
exit 3
