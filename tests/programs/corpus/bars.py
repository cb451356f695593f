from tqdm import trange

total = 0
bar = trange(3, desc="epochs", mininterval=0, bar_format="{l_bar}{bar:10}| {n_fmt}/{total_fmt}")
for epoch in bar:
    total += sum(range(5))
    bar.set_postfix(total=total)
print("total", total)
