"""Small ONNX files of both of PyTorch's exporters with what each does to names, and PyTorch's own numbers beside them.

Run with a Python that has torch 2, onnx and onnxscript:  python make.py
`words.json` and `norm.json` hold the values of the parameters, the inputs, and loss and gradient in float64.
"""

import copy
import io
import json
import logging
import pathlib
import sys
import warnings

import onnx
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[2] / "libs/probes/python/src"))

from stagewatch.pytorch.export import export_by_dynamo, shared_names  # noqa: E402

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)


class Words(nn.Module):
    """Token ids and a mask, embeddings that are shared with the last layer, linear layers over three axes, two outputs."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.mix = nn.Linear(6, 5)
        self.norm = nn.LayerNorm(5)
        self.back = nn.Linear(5, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids, mask):
        hidden = self.norm(torch.sigmoid(self.mix(self.embedding(ids)))) * mask[:, :, None].to(self.mix.weight.dtype)
        hidden = self.back(hidden)
        return hidden.mean(1), self.head(hidden)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3, bias=False)
        self.bn = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3, 4)

    def forward(self, x):
        return self.fc(torch.tanh(self.bn(self.conv(x))).mean(2))


def numbers(tensor):
    return dict(shape=list(tensor.shape), data=tensor.detach().reshape(-1).tolist())


def truth(model, inputs, y, name, pick):
    exact = copy.deepcopy(model).double()
    arguments = [t.double() if t.is_floating_point() else t for t in inputs.values()]
    output = pick(exact(*arguments))
    loss = nn.functional.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1))
    gradient = torch.autograd.grad(loss, list(exact.parameters()))
    (FOLDER / f"{name}.json").write_text(json.dumps(dict(
        parameters={n: numbers(p) for n, p in model.named_parameters()},
        aliases=shared_names(model),
        inputs={n: numbers(t) for n, t in inputs.items()}, y=numbers(y), loss=loss.item(),
        gradient=[x for g in gradient for x in g.reshape(-1).tolist()],
    )) + "\n")


def words():
    torch.manual_seed(4)
    model = Words().eval()
    ids, mask = torch.randint(0, 11, (3, 4)), torch.ones(3, 4, dtype=torch.long)
    truth(model, dict(ids=ids, mask=mask), torch.randint(0, 11, (3, 4)), "words", lambda output: output[1])
    names = dict(input_names=["ids", "mask"], output_names=["pooled", "logits"])
    axes = {name: {0: "n"} for name in ("ids", "mask", "pooled", "logits")}
    for fold in (False, True):
        torch.onnx.export(model, (ids, mask), str(FOLDER / f"words-tracing{'-folded' * fold}.onnx"), dynamo=False,
                          do_constant_folding=fold, dynamic_axes=axes, **names)
        batch = torch.export.Dim("batch")
        program = torch.onnx.export(model, (ids, mask), dynamo=True, optimize=fold, verbose=False,
                                    dynamic_shapes=({0: batch}, {0: batch}), **names)
        program.save(str(FOLDER / f"words-dynamo{'-folded' * fold}.onnx"), external_data=False)
        if not fold:
            program.save(str(FOLDER / "words-external.onnx"), external_data=True)
    one = copy.deepcopy(model).half()
    stream = io.BytesIO()
    torch.onnx.export(one, (ids, mask), stream, dynamo=False, do_constant_folding=False, dynamic_axes=axes, **names)
    (FOLDER / "words-half.onnx").write_bytes(stream.getvalue())


def norm():
    torch.manual_seed(5)
    model = Norm().train()
    x = torch.randn(4, 2, 6)
    truth(model, dict(x=x), torch.randint(0, 4, (4,)), "norm", lambda output: output)
    (FOLDER / "norm-dynamo.onnx").write_bytes(export_by_dynamo(copy.deepcopy(model), x[:2]))


words()
norm()
for path in FOLDER.glob("*.onnx"):
    # Notes about the machine that made the file.
    proto = onnx.load(path, load_external_data=False)
    for part in [proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.value_info, *proto.functions]:
        del part.metadata_props[:]
        part.doc_string = ""
    path.write_bytes(proto.SerializeToString())
