"""A training job whose biases have a learning rate of their own, with PyTorch's own dense lambda_1 of D^1/2 (H + W) D^1/2.

At every snapshot it prints that value, computed in float64 from `torch.autograd.functional.hessian`, as a JSON line.
"""

import copy
import json
import sys
import time

import stagewatch
import torch

options = json.loads(sys.argv[1])
STEPS, WEIGHTS, BIASES, DECAY = options["steps"], 0.4, 0.05, 0.1

torch.manual_seed(3)
torch.set_num_threads(1)
x = torch.randn(64, 5)
y = torch.stack([torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], x[:, 3].tanh() - x[:, 4]], dim=1)
model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
named = list(model.named_parameters())
optimizer = torch.optim.SGD([
    {"params": [p for name, p in named if name.endswith("weight")], "lr": WEIGHTS, "weight_decay": DECAY},
    {"params": [p for name, p in named if name.endswith("bias")], "lr": BIASES},
], lr=1.0)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.5)
loss_of = torch.nn.MSELoss()


def truth():
    twin = copy.deepcopy(model).double()
    parameters = [p.detach() for p in twin.parameters()]
    sizes = [p.numel() for p in parameters]

    def loss_at(flat):
        w1, b1, w2, b2 = (part.view_as(p) for part, p in zip(flat.split(sizes), parameters))
        return ((torch.tanh(x.double() @ w1.T + b1) @ w2.T + b2 - y.double()) ** 2).mean()

    hessian = torch.autograd.functional.hessian(loss_at, torch.cat([p.reshape(-1) for p in parameters]))
    is_weight = torch.cat([torch.full((p.numel(),), float(name.endswith("weight"))) for name, p in named]).double()
    weights, biases = (group["lr"] for group in optimizer.param_groups)
    roots = (is_weight * weights + (1 - is_weight) * biases).sqrt()
    stepped = hessian + torch.diag(is_weight * DECAY)
    return float(torch.linalg.eigvalsh(roots[:, None] * stepped * roots[None, :])[-1])


def on_snapshot(step):
    print(json.dumps({"step": step, "truth": truth()}), flush=True)


run = stagewatch.attach(model, optimizer, loss=loss_of, train=(x, y), name="groups", project="system tests",
                        planned_steps=STEPS, address=options["address"], snapshot_every=5, drain_seconds=60,
                        on_snapshot=on_snapshot, quiet=True)
run.wait_attached(60)
print(json.dumps({"run": run.id}), flush=True)
for step in range(STEPS):
    optimizer.zero_grad()
    loss = loss_of(model(x), y)
    loss.backward()
    optimizer.step()
    run.step(loss=loss)
    schedule.step()
    time.sleep(0.002)
run.finish()
