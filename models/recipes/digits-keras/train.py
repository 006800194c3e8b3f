"""Trains a second digits model with real Keras 3 and converts its .keras file with the real tensorflowjs converter.

Reads <work>/train.safetensors and models/digits/test/{x,y}.safetensors (made by ../digits/data.py); writes
models/digits-keras/model.json and its weights and test/predictions.safetensors, leaves <work>/digits.keras for expect.py, and
prints the accuracy on the held-out images.

    python train.py <work folder>
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from converter import convert

SEED = 1797
EPOCHS = 40
BATCH = 32
LABELS = [str(digit) for digit in range(10)]
# Pixel 0 is 0 and pixel 255 is 16: the scale of the data set.
RANGE = [0, 16]
MODELS = Path(__file__).resolve().parents[2]
MODEL, TEST = MODELS / "digits-keras", MODELS / "digits" / "test"


def main(work: Path) -> None:
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    trained = train(load_file(work / "train.safetensors"))

    # The file holds half-precision weights. What is measured and compared is the model with exactly those weights, never
    # compiled, so that no optimizer state travels with it.
    model = build()
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in trained.get_weights()])
    x, y = load_file(TEST / "x.safetensors")["x"], load_file(TEST / "y.safetensors")["y"]
    predicted = model.predict(x, verbose=0)
    right, of = int((predicted.argmax(1) == y.argmax(1)).sum()), len(y)
    print(f"accuracy on the held-out images: {right} of {of} ({100 * right / of:.2f} %)")
    (MODEL / "test").mkdir(parents=True, exist_ok=True)
    save_file({model.output_names[0]: predicted}, MODEL / "test" / "predictions.safetensors")

    saved = work / "digits.keras"
    model.save(saved)
    convert(saved, MODEL, {"labels": LABELS, "range": RANGE, "testAccuracy": right / of}, "--quantize_float16=*")


def train(data: dict[str, np.ndarray]) -> keras.Model:
    model = build()
    model.summary()
    steps = EPOCHS * -(-len(data["x"]) // BATCH)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, steps))
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(data["x"], data["y"], epochs=EPOCHS, batch_size=BATCH, verbose=2)
    return model


def build() -> keras.Model:
    """A residual block (its sum is an operator on tensors, an op node in the file), layer normalization, silu."""
    layers = keras.layers
    image = keras.Input([8, 8, 1], name="image")
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(momentum=0.95, name="stem_norm")(x)
    stem = layers.ReLU(name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(stem)
    x = layers.BatchNormalization(momentum=0.95, name="depthwise_norm")(x)
    x = layers.ReLU(max_value=6, name="depthwise_relu6")(x)
    x = layers.Conv2D(24, 1, use_bias=False, name="pointwise")(x)
    x = layers.BatchNormalization(momentum=0.95, name="pointwise_norm")(x)
    x = stem + x
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Conv2D(48, 3, strides=2, padding="same", activation="silu", name="reduce")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Dropout(0.3, name="dropout_last")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="digits")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
