"""The processes that train one network together, those of torchrun; one alone where nothing has begun others."""

import os

import torch
import torch.distributed as distributed


class Processes:
    """All have the same parameters, as each takes the same steps: by the mean of what all have found."""

    def __init__(self, device):
        self.count, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        self.device = torch.device(device)
        if self.count == 1:
            return
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    @property
    def first(self):
        """The one that validates, saves and speaks."""
        return self.rank == 0

    def add(self, tensors):
        """Sums over all processes, in place, by one message."""
        if self.count == 1:
            return
        flat = torch.cat([t.reshape(-1) for t in tensors])
        distributed.all_reduce(flat)
        for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
            t.copy_(part.view_as(t))

    def gathered(self, tensor):
        """Those of all processes behind each other, in the order of their ranks."""
        if self.count == 1:
            return tensor
        all_of_them = [torch.empty_like(tensor) for _ in range(self.count)]
        distributed.all_gather(all_of_them, tensor.contiguous())
        return torch.cat(all_of_them)

    def agreed(self, number):
        """The first one's, as clocks differ."""
        if self.count == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return told.item()

    def in_turn(self, function):
        """What the function gives, for the others only when the first has it: what it wrote they may read."""
        mine = function() if self.first else None
        self.agreed(0)
        return mine if self.first else function()

    def end(self):
        if self.count > 1:
            distributed.destroy_process_group()
