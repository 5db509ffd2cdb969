"""Small ONNX files of Keras 3 and tf2onnx, with Keras's own numbers beside them.

Run with a Python that has tensorflow, keras 3 and tf2onnx:  python make_keras.py
"""

import json
import os
import pathlib
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

FOLDER = pathlib.Path(__file__).parent


def numbers(array):
    array = np.asarray(array)
    return dict(shape=list(array.shape), data=array.reshape(-1).astype(float).tolist())


def main():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([
        keras.Input((6, 6, 2)),
        keras.layers.Conv2D(3, 3, activation="relu", name="conv", bias_initializer="random_normal"),
        keras.layers.MaxPooling2D(2, name="pool"),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(5, activation="tanh", name="first", bias_initializer="random_normal"),
        keras.layers.Dense(4, name="last", bias_initializer="random_normal"),
    ])
    x = np.random.default_rng(1).normal(size=(3, 6, 6, 2)).astype(np.float32)
    y = np.array([0, 3, 1])
    model(x)
    with tempfile.TemporaryDirectory() as folder:
        model.export(f"{folder}/model.onnx", format="onnx", verbose=False)
        (FOLDER / "keras.onnx").write_bytes(pathlib.Path(f"{folder}/model.onnx").read_bytes())
    import tf2onnx

    function = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, 6, 6, 2), tf.float32, name="x")])
    proto, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=15)
    (FOLDER / "tf2onnx.onnx").write_bytes(proto.SerializeToString())
    weights = model.trainable_weights
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x)))
    gradient = tape.gradient(loss, [w.value for w in weights])
    (FOLDER / "keras.json").write_text(json.dumps(dict(
        parameters={w.path: numbers(w.numpy()) for w in weights}, aliases={}, inputs=dict(x=numbers(x)), y=numbers(y),
        loss=float(loss), gradient=[float(v) for g in gradient for v in np.asarray(g).reshape(-1)],
    )) + "\n")


main()
