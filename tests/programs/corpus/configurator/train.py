# settings, overwritten by config files and --key=value
eval_interval = 2
learning_rate = 6e-4
max_iters = 4
out_dir = "out"
config_keys = [k for k, v in globals().items() if not k.startswith("_") and isinstance(v, (int, float, bool, str))]
exec(open(__file__.replace("train.py", "configurator.py")).read())
config = {k: globals()[k] for k in config_keys}

import os

os.makedirs(out_dir, exist_ok=True)
if True:  # poor man's switch
    decay = 0.9
else:
    decay = 1.0
for it in range(max_iters):
    learning_rate *= decay
    if it % eval_interval == 0:
        print(f"step {it}: train loss {1 / (it + 1):.4f}, val loss {1.1 / (it + 1):.4f}")
        open(os.path.join(out_dir, "ckpt.txt"), "w").write(str(config))
