"""What people have at hand as training data, as arrays: pairs, dictionaries, tuples, datasets and loaders.

Drawing from a dataset or a loader disturbs neither: items are taken from the dataset itself, by a seeded choice of places, and
the random generators are put back.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional, Sequence

import numpy as np

from .conventions import Unsupported

#: What the targets are called where examples are dictionaries.
TARGET_KEYS = ("labels", "label", "targets", "target", "y")
MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Examples:
    """Examples along the first axis of everything."""

    #: By the names of the model's arguments; `keywords` says whether they are passed by name or in this order.
    inputs: Mapping[str, Any]
    keywords: bool
    targets: Any
    #: Of the whole training set; None when it is not known.
    of: Optional[int]


def read_examples(given: Any, names: Sequence[str], most: int, seed: int) -> Examples:
    """At most `most` of what was given (and 256 MiB of it), the same ones for the same seed.

    `names` are those of the model's positional arguments.
    """
    if is_loader(given):
        return _drawn(given, names, most, seed)
    if hasattr(given, "__getitem__") and hasattr(given, "__len__") and not isinstance(given, (tuple, list, Mapping)):
        return _of_dataset(given, None, names, most, seed)
    whole = _batch(given, names, None)
    count = _count(whole)
    keep = min(count, most, max(1, MAX_BYTES // _bytes_each(whole)))
    if keep == count:
        return whole
    rows = chosen(count, keep, seed)
    return Examples({name: _take(value, rows) for name, value in whole.inputs.items()}, whole.keywords,
                    _take(whole.targets, rows), whole.of)


def is_loader(given: Any) -> bool:
    return hasattr(given, "dataset") and hasattr(given, "collate_fn")


def chosen(count: int, keep: int, seed: int) -> Any:
    return np.sort(np.random.default_rng(seed).choice(count, keep, replace=False))


def _drawn(loader: Any, names: Sequence[str], most: int, seed: int) -> Examples:
    if hasattr(loader.dataset, "__getitem__") and hasattr(loader.dataset, "__len__"):
        # A sampler of a subset knows its places; other places may be those of the validation set.
        places = getattr(loader.sampler, "indices", None)
        return _of_dataset(loader.dataset, loader.collate_fn, names, most, seed, places)
    with _random_states_kept():
        stream = iter(loader.dataset)
        if stream is loader.dataset:
            raise Unsupported("train is a stream that can be read only once; give a few of its examples as train=(x, y)")
        first = next(stream, None)
        if first is None:
            raise Unsupported("train holds no examples")
        keep = _fitting(_batch(loader.collate_fn([first]), names, None), most)
        return _batch(loader.collate_fn([first, *itertools.islice(stream, keep - 1)]), names, 0)


def _of_dataset(dataset: Any, collate: Any, names: Sequence[str], most: int, seed: int, places: Any = None) -> Examples:
    if collate is None:
        from torch.utils.data.dataloader import default_collate as collate
    places = range(len(dataset)) if places is None else list(places)
    count = len(places)
    if count == 0:
        raise Unsupported("train holds no examples")
    with _random_states_kept():
        keep = min(count, _fitting(_batch(collate([dataset[places[0]]]), names, None), most))
        rows = range(count) if keep == count else chosen(count, keep, seed)
        return _batch(collate([dataset[places[int(row)]] for row in rows]), names, count)


def _fitting(one: Examples, most: int) -> int:
    return min(most, max(1, MAX_BYTES // _bytes_each(one)))


def _batch(given: Any, names: Sequence[str], of: Optional[int]) -> Examples:
    """One collated batch, or everything at once. `of` is None where the batch is all there is, 0 where nobody knows."""
    if isinstance(given, Mapping):
        key = next((key for key in TARGET_KEYS if key in given), None)
        if key is None:
            raise Unsupported(f"a dictionary of examples needs its targets under one of {', '.join(TARGET_KEYS)}; "
                              f"it has {', '.join(map(str, given))}")
        inputs = {str(name): value for name, value in given.items() if name != key and is_array(value)}
        return _checked(Examples(inputs, True, given[key], of))
    if not isinstance(given, (tuple, list)) or len(given) < 2:
        raise Unsupported(f"train is a pair (x, y), a dictionary, a Dataset or a DataLoader, not {type(given).__name__}")
    *first, targets = given
    if len(first) == 1 and isinstance(first[0], Mapping):
        return _checked(Examples({str(name): value for name, value in first[0].items()}, True, targets, of))
    if len(first) == 1 and isinstance(first[0], tuple):
        first = list(first[0])
    if len(first) == 1:
        return _checked(Examples({"x": first[0]}, False, targets, of))
    named = list(names) if len(names) >= len(first) else [f"x{i}" for i in range(len(first))]
    return _checked(Examples(dict(zip(named, first)), False, targets, of))


def _checked(examples: Examples) -> Examples:
    count = _count(examples)
    unlike = [name for name, value in examples.inputs.items() if len(value) != count]
    if count == 0 or unlike or len(examples.targets) != count:
        raise Unsupported(f"a probe set needs as many labels as inputs, and at least one; got {count} and {len(examples.targets)}")
    if examples.of is None:
        return Examples(examples.inputs, examples.keywords, examples.targets, count)
    return Examples(examples.inputs, examples.keywords, examples.targets, examples.of or None)


def _count(examples: Examples) -> int:
    if not examples.inputs:
        raise Unsupported("the examples hold no input")
    return len(next(iter(examples.inputs.values())))


def _bytes_each(examples: Examples) -> int:
    return max(1, sum(int(np.prod(np.shape(value)[1:], dtype=np.int64)) * 4 for value in examples.inputs.values()))


def is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and len(value.shape) > 0


def _take(value: Any, rows: Any) -> Any:
    if hasattr(value, "index_select"):
        import torch

        return value.index_select(0, torch.as_tensor(rows, device=value.device))
    return np.asarray(value)[rows]


@contextlib.contextmanager
def _random_states_kept() -> Iterator[None]:
    """Transforms draw from whichever generator they like."""
    python, numpy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    devices: List[int] = []
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        devices = [torch.cuda.current_device()]
    with torch.random.fork_rng(devices=devices) if torch is not None else contextlib.nullcontext():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
