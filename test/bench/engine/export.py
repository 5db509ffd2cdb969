"""Writes models/*.onnx and workloads.json, with a Python that has torch 2 and onnx. Needed again only when models.py changes.

The files hold the structure: parameters are inputs, and their numbers are made by the bench.
"""

import json
import math
import pathlib

import onnx
import torch

from models import LENGTH, VOCABULARY, torch_network

FOLDER = pathlib.Path(__file__).parent
DATA = {
    "mlp": dict(x=dict(shape=[1000, 3072]), y=dict(shape=[1000], classes=10)),
    "convolutions": dict(x=dict(shape=[128, 3, 32, 32]), y=dict(shape=[128], classes=10)),
    # Is prepared only; batch normalisation in training mode.
    "resnet18": dict(x=dict(shape=[2, 3, 32, 32]), y=dict(shape=[2], classes=10)),
    "gpt": dict(x=dict(shape=[32, LENGTH], below=VOCABULARY), y=dict(shape=[32, LENGTH], classes=VOCABULARY)),
}


def spread(name, shape):
    """Mean and standard deviation of a parameter's numbers."""
    if "norm" in name:
        return (1, 0.1) if name.endswith("weight") else (0, 0.1)
    if len(shape) == 1:
        return 0, 0.1
    return 0, 0.3 if name in ("tokens.weight", "positions.weight") else 1 / math.sqrt(math.prod(shape[1:]))


def export(name, data):
    network = torch_network(name)
    for p in network.parameters():
        # Equal tensors would be exported as one.
        torch.nn.init.normal_(p)
    whole = "below" in data["x"]
    x = torch.zeros(2, *data["x"]["shape"][1:], dtype=torch.int64 if whole else torch.float32)
    path = FOLDER / "models" / f"{name}.onnx"
    torch.onnx.export(
        network, (x,), str(path), dynamo=False, do_constant_folding=False, opset_version=17,
        training=torch.onnx.TrainingMode.TRAINING, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
    )
    model = onnx.load(path)
    del model.graph.value_info[:]
    # Running statistics, which training mode does not look at, are written as further outputs.
    del model.graph.output[1:]
    parameters = dict(network.named_parameters())
    values = [tensor for tensor in model.graph.initializer if tensor.name in parameters]
    assert {tensor.name for tensor in values} == set(parameters)
    for tensor in values:
        model.graph.initializer.remove(tensor)
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    onnx.save(model, path)
    listed = []
    for key, value in parameters.items():
        mean, deviation = spread(key, value.shape)
        listed.append(dict(name=key, shape=list(value.shape), mean=mean, deviation=round(deviation, 6)))
    return dict(parameters=listed, **data)


if __name__ == "__main__":
    workloads = {name: export(name, data) for name, data in DATA.items()}
    (FOLDER / "workloads.json").write_text(json.dumps(workloads, indent=1) + "\n")
