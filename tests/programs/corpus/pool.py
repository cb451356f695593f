import multiprocessing as mp


def square(x):
    return x * x


def shout(queue, text):
    queue.put(text.upper())


if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = mp.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(6)))
        queue = context.Queue()
        process = context.Process(target=shout, args=(queue, method))
        process.start()
        print(queue.get())
        process.join()
        print("exitcode", process.exitcode)
