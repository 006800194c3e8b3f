"""Writes models/digits-keras/expected.json: real Keras 3's own predictions for the sample images of models/digits.

Reads <work>/digits.keras (saved by train.py) and <work>/samples.safetensors (made by ../digits/samples.py). Fails when a sample
is not named right however it is scaled down, or when the converted weights are not the ones Keras predicts with.

    python expect.py <work folder>
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
from safetensors.numpy import load_file

MODELS = Path(__file__).resolve().parents[2]
MODEL, TEST = MODELS / "digits-keras", MODELS / "digits" / "test"


def main(work: Path) -> None:
    model = keras.models.load_model(work / "digits.keras", compile=False)
    converted = json.loads((MODEL / "model.json").read_text())
    check_weights(model, converted)
    labels = converted["userDefinedMetadata"]["labels"]
    expected = {}
    for way, images in load_file(work / "samples.safetensors").items():
        answer = model.predict(images, verbose=0)
        if list(answer.argmax(1)) != list(range(10)):
            sys.exit(f"scaled by {way} the samples are taken for {answer.argmax(1)}")
        if way == "area":
            expected = {
                f"../digits/samples/{digit}.png": {"label": labels[digit], "probabilities": [float(p) for p in row]}
                for digit, row in enumerate(answer)
            }
        print(f"{way}: {' '.join(f'{answer[digit, digit]:.4f}' for digit in range(10))}")

    x, y = load_file(TEST / "x.safetensors")["x"], load_file(TEST / "y.safetensors")["y"]
    report = {
        "producer": f"keras {keras.__version__}",
        "recipe": "models/recipes/digits-keras/expect.py",
        "input": model.inputs[0].name,
        "output": model.output_names[0],
        "testExamples": len(y),
        "testRight": int((model.predict(x, verbose=0).argmax(1) == y.argmax(1)).sum()),
        "samples": expected,
    }
    (MODEL / "expected.json").write_text(json.dumps(report, indent=1) + "\n")


def check_weights(model: keras.Model, converted: dict) -> None:
    """The half-precision numbers in the converted files are, one by one, the weights of the Keras model."""
    written: dict[tuple, list[np.ndarray]] = {}
    for group in converted["weightsManifest"]:
        bytes_ = b"".join((MODEL / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"]))
            value = np.frombuffer(bytes_, np.float16, count, offset).reshape(entry["shape"])
            offset += 2 * count
            written.setdefault(value.shape, []).append(value)
        if offset != len(bytes_):
            sys.exit(f"{group['paths']} hold {len(bytes_)} bytes, the manifest tells of {offset}")
    for weight in model.weights:
        if not any(np.array_equal(weight.numpy(), value.astype(np.float32)) for value in written.get(tuple(weight.shape), [])):
            sys.exit(f"{weight.path} is not in the converted files")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
