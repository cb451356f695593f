"""What recording costs a step of a loop of one's own in torch."""

from tests.bench.figures import World, figure, floor

LOOP = """
import time
import torch, runlore
torch.set_num_threads(1)

def seconds(count):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    began = time.process_time()
    for _ in range(count):
        weight.square().sum().backward()
        optimizer.step()
    return time.process_time() - began

def step():
    return (seconds(6000) - seconds(1000)) / 5000 * 1e6  # without what a run costs once

def recorded():
    with runlore.autolog("torch"):
        return step()

seconds(100)
"""
ADDED = "step(), recorded(); print(sorted(recorded() - step() for _ in range(5))[2])"


@figure("PyTorch: added to a step of a loop, CPU", "µs", 10, beside="PyTorch: a step of one weight, CPU")
def step_added(world: World) -> float:
    return float(world.python(LOOP + ADDED))


@floor("PyTorch: a step of one weight, CPU", "µs")
def step_plain(world: World) -> float:
    return float(world.python(LOOP + "print(step())"))
