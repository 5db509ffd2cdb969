"""One peer in a process of its own: reads commands as lines of JSON from the bench, answers lines of JSON.

python peer.py (torch | torch-compile | curvlinops | jax)
  {"do": "load", "workload": …, "folder": …}         → {"can": [what …]}
  {"do": "time", "what": …, "repeats": n}            → {"ms": [minimum of n]}
  {"do": "result", "what": …, "file": …}             → writes float64, all parameters one after the other
  {"do": "drop"}                                     → forgets the workload
"""

import gc
import json
import math
import os
import pathlib
import sys
import time

import numpy

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER))


class Workload:
    def __init__(self, name, folder):
        spec = json.loads((FOLDER / "workloads.json").read_text())[name]
        folder = pathlib.Path(folder)
        self.name = name
        self.shapes = [p["shape"] for p in spec["parameters"]]
        whole = "below" in spec["x"]
        self.x = numpy.fromfile(folder / "x.bin", numpy.int64 if whole else numpy.float32).reshape(spec["x"]["shape"])
        self.y = numpy.fromfile(folder / "y.bin", numpy.int64).reshape(spec["y"]["shape"])
        self.theta = self.split(numpy.fromfile(folder / "theta.bin", numpy.float32))
        vectors = numpy.fromfile(folder / "vectors.bin", numpy.float32)
        self.vectors = [self.split(v) for v in vectors.reshape(4, -1)]

    def split(self, flat):
        ends = numpy.cumsum([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(numpy.split(flat, ends[:-1]), self.shapes)]


def torch_of(load, dtype="float32"):
    import torch
    from models import torch_network

    torch.set_num_threads(THREADS)
    network = torch_network(load.name).to(getattr(torch, dtype))
    parameters = list(network.parameters())
    with torch.no_grad():
        for p, value in zip(parameters, load.theta):
            p.copy_(torch.from_numpy(value.copy()))
    x = torch.from_numpy(load.x)
    x = x if x.dtype == torch.int64 else x.to(getattr(torch, dtype))
    y = torch.from_numpy(load.y)
    vectors = [[torch.from_numpy(v.copy()).to(getattr(torch, dtype)) for v in vector] for vector in load.vectors]

    def loss(prediction, target):
        return torch.nn.functional.cross_entropy(prediction.flatten(0, -2), target.flatten())

    return torch, network, parameters, x, y, vectors, loss


def torch_peer(load):
    torch, network, parameters, x, y, vectors, loss = torch_of(load)
    grad = torch.autograd.grad
    value = lambda: loss(network(x), y)

    def double_backward():
        return grad(grad(value(), parameters, create_graph=True), parameters, vectors[0])

    kept = grad(value(), parameters, create_graph=True)

    def four():
        for v in vectors:
            product = grad(kept, parameters, v, retain_graph=True)
        return product

    exact = {}

    def truth(what):
        if not exact:
            torch, network, parameters, x, y, vectors, loss = torch_of(load, "float64")
            gradient = grad(loss(network(x), y), parameters, create_graph=True)
            exact["gradient"] = [g.detach() for g in gradient]
            for k, v in enumerate(vectors):
                exact[f"product {k}"] = grad(gradient, parameters, v, retain_graph=True)
        return exact[what]

    return {
        "gradient": lambda: grad(value(), parameters),
        "double backward": double_backward,
        "kept": lambda: grad(kept, parameters, vectors[0], retain_graph=True),
        "four": four,
        "float64 gradient": lambda: truth("gradient"),
        **{f"float64 product {k}": lambda k=k: truth(f"product {k}") for k in range(4)},
    }


def torch_compile_peer(load):
    """Traced again for every snapshot, so that it is a bound and no tool."""
    torch, network, parameters, x, y, vectors, loss = torch_of(load)
    names = [name for name, _ in network.named_parameters()]

    def value(theta):
        return loss(torch.func.functional_call(network, dict(zip(names, theta)), (x,)), y)

    _, move = torch.func.linearize(torch.func.grad(value), tuple(p.detach() for p in parameters))
    compiled = torch.compile(move)
    v = tuple(vectors[0])
    with torch.no_grad():
        compiled(v)

    def kept():
        with torch.no_grad():
            return compiled(v)

    return {"compiled": kept}


def curvlinops_peer(load):
    torch, network, parameters, x, y, vectors, loss = torch_of(load)
    from curvlinops import HessianLinearOperator

    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x).flatten(0, -2)

    model = Flat()
    operator = HessianLinearOperator(
        model, torch.nn.CrossEntropyLoss(), list(model.parameters()), [(x, y.flatten())],
        check_deterministic=False, num_data=y.numel(), batch_size_fn=lambda _: y.numel(),
    )
    v = torch.cat([part.flatten() for part in vectors[0]])
    return {"product": lambda: [operator @ v]}


def jax_peer(load):
    os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={THREADS}")
    import jax
    import jax.numpy as jnp
    from models import jax_network

    network = jax_network(load.name)
    x, y = jnp.asarray(load.x.astype(numpy.int32) if load.x.dtype == numpy.int64 else load.x), jnp.asarray(load.y)
    theta = [jnp.asarray(p) for p in load.theta]
    vectors = [[jnp.asarray(v) for v in vector] for vector in load.vectors]
    stacked = [jnp.stack(parts) for parts in zip(*vectors)]

    def loss(p, x):
        scores = jax.nn.log_softmax(network(p, x).reshape(y.size, -1))
        return -scores[jnp.arange(y.size), y.reshape(-1)].mean()

    gradient = jax.jit(jax.grad(loss))
    _, move = jax.linearize(lambda p: jax.grad(loss)(p, x), theta)
    kept, block = jax.jit(move), jax.jit(jax.vmap(move))
    done = jax.block_until_ready

    def four():
        return [done(kept(v)) for v in vectors][-1]

    return {
        "gradient": lambda: done(gradient(theta, x)),
        "kept": lambda: done(kept(vectors[0])),
        "four": four,
        "four stacked": lambda: [part[3] for part in done(block(stacked))],
    }


PEERS = {"torch": torch_peer, "torch-compile": torch_compile_peer, "curvlinops": curvlinops_peer, "jax": jax_peer}


def timed(work, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def main(peer):
    works = {}
    for line in sys.stdin:
        command = json.loads(line)
        answer = {}
        try:
            if command["do"] == "load":
                works = PEERS[peer](Workload(command["workload"], command["folder"]))
                answer["can"] = list(works)
            elif command["do"] == "time":
                answer["ms"] = timed(works[command["what"]], command["repeats"])
            elif command["do"] == "result":
                parts = [numpy.asarray(part.detach() if hasattr(part, "detach") else part) for part in works[command["what"]]()]
                numpy.concatenate([part.astype(numpy.float64).reshape(-1) for part in parts]).tofile(command["file"])
            elif command["do"] == "drop":
                works = {}
                gc.collect()
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"[:400]
        print(json.dumps(answer), file=OUT, flush=True)


if __name__ == "__main__":
    # What libraries print goes to standard error.
    OUT, sys.stdout = sys.stdout, sys.stderr
    main(sys.argv[1])
