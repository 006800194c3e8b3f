"""Trains the iris model with real Keras 2 and converts its .h5 file with the real tensorflowjs converter.

Reads <work>/iris.safetensors and models/iris/test/{x,y}.safetensors (made by data.py); writes models/iris/model.json and its
weights, samples/*.json, test/predictions.safetensors and expected.json, and prints the accuracy on the held-out flowers.

    python train.py <work folder>
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras as keras
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from converter import convert

SEED = 1936
EPOCHS = 150
LABELS = ["setosa", "versicolor", "virginica"]
MODEL = Path(__file__).resolve().parents[2] / "iris"


def main(work: Path) -> None:
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    train = load_file(work / "iris.safetensors")
    model = build()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(inputs(train), train["y"], epochs=EPOCHS, batch_size=16, verbose=0)

    x, y = load_file(MODEL / "test" / "x.safetensors"), load_file(MODEL / "test" / "y.safetensors")["y"]
    predicted = model.predict(inputs(x), verbose=0)
    right, of = int((predicted.argmax(1) == y.argmax(1)).sum()), len(y)
    print(f"accuracy on the held-out flowers: {right} of {of} ({100 * right / of:.2f} %)")
    save_file({model.output_names[0]: predicted}, MODEL / "test" / "predictions.safetensors")

    saved = work / "iris.h5"
    model.save(saved)
    convert(saved, MODEL, {"labels": LABELS, "testAccuracy": right / of})
    write_samples(model, x, y, predicted, {"testExamples": of, "testRight": right})


def build() -> keras.Model:
    """Two named inputs, so that the sample files show how inputs go by name."""
    sepal = keras.Input([2], name="sepal")
    petal = keras.Input([2], name="petal")
    x = keras.layers.Concatenate(name="flower")([sepal, petal])
    x = keras.layers.BatchNormalization(momentum=0.9, name="scale")(x)
    x = keras.layers.Dense(16, activation="relu", name="hidden")(x)
    return keras.Model([sepal, petal], keras.layers.Dense(3, activation="softmax", name="species")(x), name="iris")


def inputs(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: tensors[name] for name in ("sepal", "petal")}


def write_samples(model: keras.Model, x: dict, y: np.ndarray, predicted: np.ndarray, measured: dict) -> None:
    """One held-out flower of each species that the model names right (the first), and all three in one file."""
    right = predicted.argmax(1) == y.argmax(1)
    chosen = [int(np.flatnonzero(right & (y.argmax(1) == species))[0]) for species in range(len(LABELS))]
    files = {f"{label}.json": [row] for label, row in zip(LABELS, chosen)} | {"flowers.json": chosen}
    expected = {}
    (MODEL / "samples").mkdir(exist_ok=True)
    for file, flowers in files.items():
        # One decimal is all the data has, so the short numbers in the file are the same float32 values.
        sample = {name: [[round(float(v), 1) for v in x[name][row]] for row in flowers] for name in ("sepal", "petal")}
        (MODEL / "samples" / file).write_text(json.dumps(sample) + "\n")
        fed = {name: np.array(value, np.float32) for name, value in sample.items()}
        answer = model.predict(fed, verbose=0)
        if list(answer.argmax(1)) != list(y[flowers].argmax(1)):
            sys.exit(f"samples/{file}: predicted {answer.argmax(1)}, the flowers are {y[flowers].argmax(1)}")
        expected[f"samples/{file}"] = {
            "labels": [LABELS[i] for i in answer.argmax(1)],
            "probabilities": [[float(p) for p in row] for row in answer],
        }
    report = {
        "producer": f"keras {keras.__version__}",
        "recipe": "models/recipes/iris/train.py",
        "output": model.output_names[0],
        **measured,
        "samples": expected,
    }
    (MODEL / "expected.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
