"""Makes torch_sharpness.json: small networks with weights along a run of gradient descent, and the top eigenvalues of the
Hessian by PyTorch's own double backward in double precision, dense.

    python3 test/golden/torch_sharpness.py      # with torch 1.13 or later and onnx
"""

import base64
import io
import json
import pathlib

import torch

LR = {"tanh": 1.2, "relu": 0.5}
STEPS = (0, 40, 400)


def network(activation: str, seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    layer = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[activation]
    return torch.nn.Sequential(
        torch.nn.Linear(10, 14), layer(), torch.nn.Linear(14, 12), layer(), torch.nn.Linear(12, 4)
    )


def flat(tensors) -> list[float]:
    return torch.cat([t.detach().reshape(-1) for t in tensors]).tolist()


def top_eigenvalues(model, x, y) -> tuple[float, float, list[float]]:
    """Loss, gradient norm and the five largest eigenvalues, in float64 at the float32 weights."""
    double = torch.nn.Sequential(*[type(m)(m.in_features, m.out_features) if isinstance(m, torch.nn.Linear) else m for m in model]).double()
    double.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    parameters = list(double.parameters())
    loss = torch.nn.functional.cross_entropy(double(x.double()), y)
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)])
    rows = [
        torch.cat([h.reshape(-1) for h in torch.autograd.grad(g, parameters, retain_graph=True)]) for g in gradient
    ]
    values = torch.linalg.eigvalsh(torch.stack(rows)).flip(0)
    return loss.item(), gradient.norm().item(), values[:5].tolist()


def exported(model, x) -> str:
    file = io.BytesIO()
    torch.onnx.export(
        model, x, file, do_constant_folding=False, training=torch.onnx.TrainingMode.TRAINING,
        input_names=["x"], output_names=["prediction"], dynamic_axes={"x": {0: "batch"}, "prediction": {0: "batch"}},
    )
    return base64.b64encode(file.getvalue()).decode()


def case(activation: str, seed: int) -> dict:
    model = network(activation, seed)
    x = torch.randn(96, 10)
    y = (x[:, 0] > 0).long() + 2 * (x[:, 1] * x[:, 2] > 0).long()
    points = []
    for step in range(max(STEPS) + 1):
        if step in STEPS:
            loss, gradient_norm, top = top_eigenvalues(model, x, y)
            points.append({"step": step, "theta": flat(model.parameters()), "loss": loss, "gradientNorm": gradient_norm, "top": top})
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= LR[activation] * p.grad
    return {
        "activation": activation,
        "lr": LR[activation],
        "parameters": [name for name, _ in model.named_parameters()],
        "onnx": exported(model, x),
        "x": x.reshape(-1).tolist(),
        "y": y.tolist(),
        "points": points,
    }


if __name__ == "__main__":
    out = {"source": "torch_sharpness.py", "torch": torch.__version__, "cases": [case("tanh", 1), case("relu", 2)]}
    path = pathlib.Path(__file__).with_name("torch_sharpness.json")
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    for c in out["cases"]:
        print(c["activation"], [(p["step"], round(p["loss"], 4), [round(v, 3) for v in p["top"][:3]]) for p in c["points"]], "2/lr", 2 / c["lr"])
