import asyncio
import signal


async def client(i, queue):
    await asyncio.sleep(0)
    await queue.put(i)


async def main():
    queue = asyncio.Queue()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
    async with asyncio.TaskGroup() as group:
        for i in range(3):
            group.create_task(client(i, queue))
    print("round", sorted([queue.get_nowait() for _ in range(3)]))
    await asyncio.wait_for(asyncio.Event().wait(), 0.01)


asyncio.run(main())
