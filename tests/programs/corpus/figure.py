import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

plt.plot([1, 0.5, 0.3], label="loss")
plt.legend()
plt.savefig("loss.png", dpi=40)
plt.show()
print("saved")
