"""Logistic regression by hand, without PyTorch."""

import numpy as np

import stagewatch

random = np.random.default_rng(0)
x = random.normal(size=(200, 4))
y = (x[:, 0] - x[:, 1] > 0).astype(float)
w = np.zeros(4)
run = stagewatch.attach(None, stagewatch.OptimizerConstants("sgd", learning_rate=0.5), name="numpy")
for step in range(400):
    p = 1 / (1 + np.exp(-x @ w))
    loss = -np.mean(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))
    run.step(loss=loss, accuracy=np.mean((p > 0.5) == y))
    w -= 0.5 * x.T @ (p - y) / len(y)
run.finish()
