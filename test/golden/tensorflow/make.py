"""Writes networks of Keras as GraphModels: the GraphDef that TensorFlow itself makes of them, with frozen weights inside.

Run with a Python that has tensorflow 2 and keras 3:  python make.py
For each network `<name>.json`: the model.json, and under `check` an input and what TensorFlow makes of it.
Needed again only when a case is added.
"""

import base64
import json
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from keras import layers as L
from tensorflow.python.framework import tensor_util
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

DTYPES = {"f": "float32", "i": "int32", "b": "bool"}


def frozen(model, shape):
    spec = tf.TensorSpec([None, *shape], tf.float32, name="x")
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    return convert_variables_to_constants_v2(function)


def save(name, model, shape):
    function = frozen(model, shape)
    graph = function.graph.as_graph_def()
    weights, data = [], b""
    for node in graph.node:
        if node.op != "Const":
            continue
        array = np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor))
        array = array.astype(DTYPES[array.dtype.kind])
        weights.append({"name": node.name, "shape": list(array.shape), "dtype": str(array.dtype)})
        data += array.tobytes()
        del node.attr["value"]
    x = np.random.RandomState(0).randn(3, *shape).astype("float32").round(3)
    y = function(tf.constant(x))[0].numpy()
    inside = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    file = {
        "format": "graph-model",
        "modelTopology": MessageToDict(graph),
        "weightsManifest": [{"paths": [inside], "weights": weights}],
        "check": {"shape": list(x.shape), "x": [round(float(v), 3) for v in x.ravel()], "y": [float(v) for v in y.ravel()]},
    }
    (Path(__file__).parent / f"{name}.json").write_text(json.dumps(file))


def convolutional():
    x = L.Input([12, 12, 3])
    y = L.BatchNormalization()(L.Conv2D(8, 3, padding="same", strides=2)(x))
    y = L.DepthwiseConv2D(3, padding="same")(L.ReLU(6.0)(y))
    y = L.Dense(10, activation="gelu")(L.Flatten()(L.MaxPool2D()(y)))
    return keras.Model(x, L.Dense(5, activation="softmax")(y))


def transformer():
    x = L.Input([6, 16])
    y = L.LayerNormalization()(L.MultiHeadAttention(2, 8)(x, x) + x)
    y = L.Dense(16)(L.Dense(32, activation="silu")(y)) + y
    return keras.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(y)))


keras.utils.set_random_seed(1)
save("convolutional", convolutional(), [12, 12, 3])
save("transformer", transformer(), [6, 16])
