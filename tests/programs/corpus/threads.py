import concurrent.futures
import threading
import time

results = {}


def worker(i):
    results[i] = sum(range(i * 1000))
    return i


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sorted(pool.map(worker, range(8))))
t = threading.Thread(target=lambda: 1 / 0, name="loader")
t.start()
t.join()
stop = threading.Event()
daemon = threading.Thread(target=stop.wait, daemon=True)
daemon.start()
print(len(results), threading.active_count(), [t.name for t in threading.enumerate()][0])
