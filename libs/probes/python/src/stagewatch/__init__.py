"""Stagewatch: attach a training run, and see which stage it is in.

    run = stagewatch.attach(model, optimizer, loss="cross-entropy", train=(x, y), val=(x_val, y_val))
    for step in range(steps):
        ...                      # forward, loss.backward(), optimizer.step()
        run.step(loss=loss)
    run.finish()
"""

from .attaching import attach
from .conventions import MSE, BinaryCrossEntropy, CrossEntropy, Huber, OptimizerConstants, OwnLoss
from .run import Run

__version__ = "0.1.0"

__all__ = ["MSE", "BinaryCrossEntropy", "CrossEntropy", "Huber", "OptimizerConstants", "OwnLoss", "Run", "attach"]
