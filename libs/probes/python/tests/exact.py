"""λ1 of a loss in PyTorch's own double precision, by Lanczos with full reorthogonalisation."""

from __future__ import annotations

import contextlib
import copy

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


def gradient_norm(model, loss_of):
    """Of the parameters that are trained; `loss_of(model)` takes the model in double precision."""
    exact, parameters, gradient = _gradient(model, loss_of)
    return float(torch.sqrt(sum((g.detach() ** 2).sum() for g in gradient)))


def top_eigenvalue(model, loss_of, most=60, tolerance=1e-9):
    exact, parameters, gradient = _gradient(model, loss_of)
    flat = torch.cat([g.reshape(-1) for g in gradient])
    generator = torch.Generator().manual_seed(5)
    basis = [_unit(torch.randn(len(flat), generator=generator, dtype=torch.float64))]
    alphas, betas, before = [], [], None
    while True:
        product = torch.autograd.grad(flat @ basis[-1], parameters, retain_graph=True, allow_unused=True)
        image = torch.cat([(torch.zeros_like(p) if h is None else h).reshape(-1) for h, p in zip(product, parameters)])
        alphas.append(float(image @ basis[-1]))
        for _ in range(2):
            for vector in basis:
                image = image - (image @ vector) * vector
        beta = float(image.norm())
        matrix = torch.diag(torch.tensor(alphas, dtype=torch.float64))
        if betas:
            off = torch.diag(torch.tensor(betas, dtype=torch.float64), 1)
            matrix = matrix + off + off.T
        top = float(torch.linalg.eigvalsh(matrix)[-1])
        if len(alphas) == min(most, len(flat)) or beta < 1e-12 or (before is not None and abs(top - before) < tolerance * abs(top)):
            return top
        before = top
        betas.append(beta)
        basis.append(image / beta)


def _gradient(model, loss_of):
    exact = copy.deepcopy(model).double()
    parameters = [p for p in exact.parameters() if p.requires_grad]
    with _twice_differentiable():
        loss = loss_of(exact)
    used = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    return exact, parameters, [torch.zeros_like(p) if g is None else g for g, p in zip(used, parameters)]


def _twice_differentiable():
    """The other ways to compute attention have no second derivative in PyTorch."""
    attention = getattr(nn, "attention", None)
    return attention.sdpa_kernel(attention.SDPBackend.MATH) if attention is not None else contextlib.nullcontext()


def _unit(vector):
    return vector / vector.norm()
