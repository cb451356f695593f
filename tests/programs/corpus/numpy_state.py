import numpy as np

RATE = 0.1
np.random.seed(5)
X = np.random.randn(100, 3)
y = X @ [1.0, -2.0, 0.5] + 0.01 * np.random.randn(100)
w = np.zeros(3)
for it in range(50):
    w -= RATE * X.T @ (X @ w - y) / len(y)
np.save("weights.npy", w)
np.savez("all.npz", X=X, y=y)
np.savetxt("w.txt", w, fmt="%.4f")
print(w.round(2), np.random.rand())
