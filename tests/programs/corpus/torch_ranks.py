import os
import sys

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    loss = (model(torch.full((8, 4), float(rank + 1))) ** 2).mean()
    loss.backward()
    optimizer.step()
if rank == 0:
    print("loss %.5f" % loss.item(), os.environ["WORLD_SIZE"], flush=True)
    torch.save(model.module.state_dict(), "ddp.pt")
dist.barrier()
dist.destroy_process_group()
