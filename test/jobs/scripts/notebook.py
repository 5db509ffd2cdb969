"""Cells as a notebook runs them: in one interpreter that lives on after a cell has failed."""

import argparse

from IPython.core.interactiveshell import InteractiveShell

parser = argparse.ArgumentParser()
parser.add_argument("--fails", choices=["before", "training"], required=True)
options = parser.parse_args()

SET_UP = """
import torch, stagewatch
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 5)
y = x[:, :1] * x[:, 1:2]
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.MSELoss()
"""
TRAIN = """
run = stagewatch.attach(model, optimizer, loss=criterion, train=(x, y), name="notebook")
for step in range(200):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    run.step(loss=loss)
    if step == breaks_at:
        raise ValueError("a typo in the cell")
"""
shell = InteractiveShell.instance()
shell.run_cell(SET_UP)
if options.fails == "before":
    shell.run_cell("undefined_name + 1")
    shell.run_cell("breaks_at = None" + TRAIN)
else:
    shell.run_cell("breaks_at = 100" + TRAIN)
    shell.run_cell("import time; time.sleep(2); print('looking at the data')")
