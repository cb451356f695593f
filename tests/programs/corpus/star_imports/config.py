LR = 0.5
STEPS = 4
name = "baseline"
