"""λ1 of a loss at the parameters as they are, in float64: Lanczos with full reorthogonalisation on double backward."""

import copy

import torch


def sharpness(model, loss_of, x, y, steps=80, tolerance=1e-5):
    """Of all parameters that are trained, on the whole training set; its error is of the order of the tolerance's square."""
    twin = copy.deepcopy(model).double()
    inputs = x.double() if x.is_floating_point() else x
    targets = y.double() if y.is_floating_point() else y
    parameters = [p for p in twin.parameters() if p.requires_grad]
    sizes = [p.numel() for p in parameters]
    with torch.enable_grad():
        gradient = torch.autograd.grad(loss_of(twin(inputs), targets), parameters, create_graph=True)

    def product(vector):
        parts = [part.view_as(p) for part, p in zip(vector.split(sizes), parameters)]
        with torch.enable_grad():
            out = torch.autograd.grad(gradient, parameters, parts, retain_graph=True)
        return torch.cat([part.reshape(-1) for part in out])

    vector = torch.randn(sum(sizes), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis, alphas, betas = [vector / vector.norm()], [], []
    while True:
        following = product(basis[-1])
        alphas.append(float(following @ basis[-1]))
        stacked = torch.stack(basis)
        for _ in range(2):
            following = following - stacked.T @ (stacked @ following)
        beta = float(following.norm())
        matrix = torch.diag(torch.tensor(alphas, dtype=torch.float64))
        if betas:
            off = torch.diag(torch.tensor(betas, dtype=torch.float64), 1)
            matrix = matrix + off + off.T
        values, vectors = torch.linalg.eigh(matrix)
        top, residual = float(values[-1]), beta * abs(float(vectors[-1, -1]))
        if residual <= tolerance * abs(top) or len(alphas) == min(steps, sum(sizes)) or beta == 0.0:
            return top
        betas.append(beta)
        basis.append(following / beta)
