for i in range(30_000):
    print(f"iteration {i:06d} loss {1 / (i + 1):.9f} grad_norm {2 / (i + 2):.9f} lr 0.0003 eta 00:00:{i % 60:02d}")
