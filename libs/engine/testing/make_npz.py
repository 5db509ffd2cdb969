"""Makes numpy.json: .npz files as numpy writes them, in base64.  python3 libs/engine/testing/make_npz.py"""

import base64
import io
import json
import pathlib

import numpy as np

grid = np.arange(6).reshape(2, 3)
arrays = {
    "float32": (grid / 4).astype("<f4"),
    "float64": np.asfortranarray(grid / 8),
    "int32": grid.astype("<i4"),
    "int64": np.array([-1, 2**53 + 1], dtype="<i8"),
    "uint8": np.array([0, 255], dtype="u1"),
    "bool": np.array([True, False]),
    "cube": np.asfortranarray(np.arange(24, dtype="<f4").reshape(2, 3, 4)),
    "scalar": np.float32(7),
    "empty": np.zeros((0, 3), dtype="<f4"),
}


def archive(save, **content) -> str:
    file = io.BytesIO()
    save(file, **content)
    return base64.b64encode(file.getvalue()).decode()


out = {
    "numpy": np.__version__,
    "stored": archive(np.savez, **arrays),
    "deflated": archive(np.savez_compressed, **arrays),
    "objects": archive(np.savez, x=np.array([{"a": 1}], dtype=object)),
    "records": archive(np.savez, x=np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")])),
    "bigEndian": archive(np.savez, x=np.zeros(2, dtype=">f4")),
}
path = pathlib.Path(__file__).with_name("numpy.json")
path.write_text(json.dumps(out, indent=1) + "\n")
