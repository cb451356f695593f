max_iters = 6
