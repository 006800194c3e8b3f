"""Trains small networks for ten steps with real Keras and writes what became of them. `generate/all.sh training` runs it for Keras 2
and for Keras 3, and make.mjs for TensorFlow.js: all start from the same numbers and see the same batches.
"""

import json
import shutil
from pathlib import Path

import golden
import numpy as np
from golden import K3, L, keras

HERE = Path(__file__).parent
RATE, STEPS = 0.05, 10


class Rng:
    """The generator of lib/golden.mjs, number for number."""

    def __init__(self, name):
        self.state = 2166136261
        for c in name:
            self.state = (self.state ^ ord(c)) * 16777619 & 0xFFFFFFFF

    def uniform(self, low, high):
        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        t = self.state
        t = (t ^ (t >> 15)) * (t | 1) & 0xFFFFFFFF
        t ^= t + ((t ^ (t >> 7)) * (t | 61) & 0xFFFFFFFF) & 0xFFFFFFFF
        return low + (high - low) * ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296

    def array(self, shape, low, high):
        return np.array([self.uniform(low, high) for _ in range(int(np.prod(shape)))]).reshape(shape).astype("float32")


RANGES = {"gamma": (0.5, 1.5), "moving_variance": (0.5, 1.5), "embeddings": (-1, 1)}
TOKENS = [[3, 1, 4, 0, 0], [2, 6, 5, 1, 3], [5, 0, 0, 0, 0], [1, 2, 0, 0, 0], [4, 4, 2, 0, 0], [6, 0, 3, 1, 0], [2, 5, 1, 6, 0], [0, 0, 3, 6, 2]]


def one_hot(indices, n):
    return np.eye(n, dtype="float32")[indices]


def conv_bn():
    model = keras.Sequential([
        keras.Input([6, 6, 1], name="x"), L.Conv2D(2, 3, padding="same", name="conv"), L.BatchNormalization(momentum=0.9, name="bn"), L.MaxPooling2D(2, name="pool"),
        L.Flatten(name="flat"), L.Dense(3, activation="softmax", name="dense")], name="conv_bn")
    return model, "categorical_crossentropy", Rng("conv_bn/x").array([8, 6, 6, 1], -1, 1), one_hot([0, 1, 2, 0, 2, 1, 0, 1], 3)


def masked_lstm():
    model = keras.Sequential([
        keras.Input([5], name="x"), L.Embedding(7, 3, mask_zero=True, name="embedding"), L.LSTM(4, name="lstm"), L.Dense(1, activation="sigmoid", name="dense")], name="masked_lstm")
    return model, "binary_crossentropy", np.array(TOKENS, "float32"), np.array([[1], [0], [0], [1], [0], [1], [1], [0]], "float32")


def dense_bn():
    model = keras.Sequential([
        keras.Input([3], name="x"), L.Dense(4, activation="tanh", name="hidden"), L.BatchNormalization(momentum=0.9, name="bn"), L.Dense(2, name="dense")], name="dense_bn")
    return model, "mean_squared_error", Rng("dense_bn/x").array([8, 3], -1, 1), Rng("dense_bn/y").array([8, 2], -1, 1)


def names(model):
    return [weight.path if K3 else weight.name.split(":")[0] for weight in model.weights]


def start(net, model):
    """Every weight from its layer's and its own name, so that all producers start from the same numbers."""
    values, layers = [], {layer.name for layer in model.layers}
    for name, weight in zip(names(model), model.weights, strict=True):
        parts = name.split("/")
        layer, role = next(part for part in parts if part in layers), parts[-1]
        values.append(Rng(f"{net}/{layer}/{role}").array(tuple(weight.shape), *RANGES.get(role, (-0.5, 0.5))))
    model.set_weights(values)


def train(net, build):
    model, loss, x, y = build()
    start(net, model)
    folder = HERE / net / golden.PRODUCER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    golden.convert(model, folder)
    golden.renumber(folder / "model.json")
    manifest = json.loads((folder / "model.json").read_text())["weightsManifest"]
    written = {weight["name"] for group in manifest for weight in group["weights"]}
    assert written == set(names(model)), (written, names(model))

    batches = [(x[:4], y[:4]), (x[4:], y[4:])]
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss)
    losses = []
    for step in range(1, STEPS + 1):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(*batches[(step - 1) % 2])))
        if step in (1, STEPS):
            golden.safetensors(folder / f"step_{step}.safetensors", names(model), model.get_weights())
    golden.safetensors(folder / "batches.safetensors", ["x0", "y0", "x1", "y1"], [array for batch in batches for array in batch])
    check_fit(net, build, model, batches)
    about = {"producer": f"keras {golden.VERSION}", "recipe": "goldens/training/make.py", "loss": loss, "optimizer": "sgd", "learning_rate": RATE,
             "losses": [float(str(np.float32(value))) for value in losses]}
    (folder / "training.json").write_text(json.dumps(about, indent=1) + "\n")
    print(f"training: {net}, {golden.PRODUCER}: {losses[0]:.4f} to {losses[-1]:.4f}")


def check_fit(net, build, trained, batches):
    """`fit` without shuffling is the same ten steps."""
    model, loss, x, y = build()
    start(net, model)
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss)
    model.fit(x, y, batch_size=4, epochs=STEPS // 2, shuffle=False, verbose=0)
    for a, b in zip(trained.get_weights(), model.get_weights(), strict=True):
        assert np.abs(a - b).max() < 1e-6, np.abs(a - b).max()


for build in (conv_bn, masked_lstm, dense_bn):
    train(build.__name__, build)
