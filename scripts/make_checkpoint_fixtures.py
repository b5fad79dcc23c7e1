#!/usr/bin/env python3
"""Small checkpoints of every kind that `torch.save` has written, for the tests of the reader.

    python scripts/make_checkpoint_fixtures.py tests/fixtures/checkpoints

All hold the same two tensors, `linear.weight` [2, 3] = 0 to 5 and `linear.bias` [2] = 6, 7.
"""
import collections
import pathlib
import sys

import numpy as np
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        with torch.no_grad():
            self.linear.weight.copy_(torch.arange(6.0).view(2, 3))
            self.linear.bias.copy_(torch.tensor([6.0, 7.0]))


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    state = Net().state_dict()
    training = {
        "epoch": 3,
        "best": np.float64(0.5),
        "history": [0.25, np.float32(0.125)],
        "model": state,
        "optimizer": {
            "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(4)}},
            "param_groups": [{"lr": 1e-3, "params": [0, 1]}],
        },
        "scaler": collections.defaultdict(int, {"scale": 65536}),
    }
    for protocol in (2, 3, 4, 5):
        torch.save(training, folder / f"protocol_{protocol}.pth", pickle_protocol=protocol)
    # The name decides the root folder inside the archive: this one has 21 letters.
    torch.save(state, folder / "fine_tuned_ram_best_7.pth")
    old = {"_use_new_zipfile_serialization": False}
    torch.save(training, folder / "before_2020.pth", **old)
    whole = torch.arange(8.0)
    views = {"linear.weight": whole[:6].view(2, 3), "linear.bias": torch.nn.Parameter(whole[6:])}
    torch.save(views, folder / "views_before_2020.pth", **old)
    torch.save(Net(), folder / "whole_module.pth")
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    torch.save({"args": {"lr": 1e-3}, "model_state_dict": wrapped}, folder / "wrapped.pth")
    torch.jit.save(torch.jit.script(Net2()), folder / "script.pt")


class Net2(Net):
    def forward(self, x):
        return self.linear(x)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
