"""An MLP on scikit-learn's digits, the way a first script looks: each option is something that people do."""

import argparse
import copy
import json
import math
import time

import torch
from sklearn.datasets import load_digits
from torch import nn

import stagewatch
import truth

parser = argparse.ArgumentParser()
parser.add_argument("--optimizer", default="SGD")
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--nesterov", action="store_true")
parser.add_argument("--weight-decay", type=float, default=0.0)
parser.add_argument("--groups", choices=["one", "decay", "rates"], default="one")
parser.add_argument("--loss", default="cross-entropy")
parser.add_argument("--attach-loss", choices=["module", "name", "none"], default="module")
parser.add_argument("--batch", type=int, default=0, help="0 is the full batch")
parser.add_argument("--epochs", type=int, default=200)
parser.add_argument("--schedule", default="none")
parser.add_argument("--drop-at", type=int, default=0)
parser.add_argument("--clip", type=float, default=0.0)
parser.add_argument("--accumulate", type=int, default=1)
parser.add_argument("--report", choices=["update", "micro"], default="update")
parser.add_argument("--ema", action="store_true")
parser.add_argument("--autocast", action="store_true")
parser.add_argument("--workers", type=int, default=0)
parser.add_argument("--train", choices=["tensors", "loader", "dataset"], default="tensors")
parser.add_argument("--scale-init", type=float, default=1.0)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--activation", default="Tanh")
parser.add_argument("--seconds", type=float, default=0.0, help="as long as that, in place of the epochs")
parser.add_argument("--pause", type=float, default=0.0)
parser.add_argument("--attach-after", type=int, default=0)
parser.add_argument("--no-finish", action="store_true")
parser.add_argument("--names", type=int, default=0, help="so many further numbers a step")
parser.add_argument("--nan-from", type=int, default=-1)
parser.add_argument("--nan-until", type=int, default=-1)
parser.add_argument("--check", action="store_true", help="say λ1 in float64 at each even step that has a snapshot")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

torch.manual_seed(options.seed)
data = load_digits()
x = torch.tensor(data.data / 16.0, dtype=torch.float32)
x -= x[:1500].mean(dim=0)
classes = torch.tensor(data.target)
one_hot = nn.functional.one_hot(classes, 10).float()

LOSSES = {
    "cross-entropy": (nn.CrossEntropyLoss(), classes),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), classes),
    "weighted": (nn.CrossEntropyLoss(weight=torch.linspace(0.5, 1.5, 10)), classes),
    "function": (nn.functional.cross_entropy, classes),
    "mse": (nn.MSELoss(), one_hot),
    "bce": (nn.BCEWithLogitsLoss(), one_hot),
    "huber": (nn.HuberLoss(delta=0.5), one_hot),
    "own": (lambda out, y: ((out - y).abs() ** 1.5).mean(), one_hot),
}
loss_of, targets = LOSSES[options.loss]
x_train, y_train, x_val, y_val = x[:1500], targets[:1500], x[1500:], targets[1500:]

activation = getattr(nn, options.activation)
model = nn.Sequential(
    nn.Linear(64, options.width), activation(), nn.Linear(options.width, options.width), activation(), nn.Linear(options.width, 10)
)
if options.scale_init != 1.0:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(options.scale_init)


def parameter_groups():
    if options.groups == "one":
        return model.parameters()
    if options.groups == "decay":
        weights = [p for p in model.parameters() if p.ndim > 1]
        biases = [p for p in model.parameters() if p.ndim <= 1]
        return [{"params": weights, "weight_decay": 1e-2}, {"params": biases, "weight_decay": 0.0}]
    return [{"params": model[:-1].parameters(), "lr": options.lr / 10}, {"params": model[-1].parameters()}]


arguments = {"lr": options.lr}
if options.optimizer in ("SGD", "RMSprop") and options.momentum:
    arguments["momentum"] = options.momentum
if options.nesterov:
    arguments["nesterov"] = True
if options.weight_decay:
    arguments["weight_decay"] = options.weight_decay
optimizer = getattr(torch.optim, options.optimizer)(parameter_groups(), **arguments)

dataset = torch.utils.data.TensorDataset(x_train, y_train)
loader = torch.utils.data.DataLoader(
    dataset, batch_size=options.batch or len(dataset), shuffle=bool(options.batch), num_workers=options.workers,
    generator=torch.Generator().manual_seed(options.seed),
)
total = options.epochs * len(loader)
schedules = torch.optim.lr_scheduler
scheduler = {
    "none": lambda: None,
    "cosine": lambda: schedules.CosineAnnealingLR(optimizer, T_max=total),
    "step": lambda: schedules.StepLR(optimizer, step_size=max(1, total // 3), gamma=0.3),
    "warmup": lambda: schedules.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 100)),
    "onecycle": lambda: schedules.OneCycleLR(optimizer, max_lr=options.lr, total_steps=total),
    "drop": lambda: schedules.LambdaLR(optimizer, lambda t: 0.25 if t >= options.drop_at else 1.0),
}[options.schedule]()


def check(step):
    if step % 2:
        return
    print(json.dumps({"step": step, "name": "sharpness", "value": truth.sharpness(model, loss_of, x_train, y_train)}), flush=True)


def attach():
    return stagewatch.attach(
        model, optimizer,
        loss={"module": loss_of, "name": options.loss, "none": None}[options.attach_loss],
        train={"tensors": (x_train, y_train), "loader": loader, "dataset": dataset}[options.train],
        val=(x_val, y_val), name="digits",
        batch_size=options.batch or None, on_snapshot=check if options.check else None, planned_steps=total,
    )


run = attach() if options.attach_after == 0 else None
average = copy.deepcopy(model) if options.ema else None
further = {f"layer.{i}.value": float(i) for i in range(options.names)}
began = time.monotonic()
update, micro, epoch = 0, 0, 0
while (time.monotonic() - began < options.seconds) if options.seconds else (epoch < options.epochs):
    for batch, labels in loader:
        if update == options.attach_after and run is None:
            run = attach()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.autocast):
            loss = loss_of(model(batch), labels)
        (loss / options.accumulate).backward()
        micro += 1
        if options.report == "micro" and run is not None:
            run.step(loss=loss)
        if micro % options.accumulate:
            continue
        if options.clip:
            nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad()
        if scheduler is not None:
            scheduler.step()
        shown = math.nan if options.nan_from <= update < options.nan_until else loss
        if options.report == "update" and run is not None:
            run.step(loss=shown, **further)
        if average is not None:
            with torch.no_grad():
                for mean, parameter in zip(average.parameters(), model.parameters()):
                    mean.lerp_(parameter, 0.01)
        update += 1
        if options.pause:
            time.sleep(options.pause)
    epoch += 1
    if run is not None and epoch % 10 == 0:
        with torch.no_grad():
            run.log({"loss.val": loss_of(model(x_val), y_val)})
if not options.no_finish:
    run.finish()
