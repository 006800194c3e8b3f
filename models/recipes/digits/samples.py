"""Picks one held-out image of each digit and draws it large enough to see: models/digits/samples/0.png to 9.png.

Of a digit's held-out images that both digits models name right, the one of middling certainty is taken, neither the easiest nor
the hardest. Each of its 8x8 pixels becomes a 16x16 square of a 128x128 grey PNG, 0 (paper) black and 16 (ink) white.

Writes <work>/samples.safetensors: the ten images as a program sees them that scales them back to 8x8, once for each usual way
of scaling, for expect.mjs and expect.py to check.

    python samples.py <work folder>
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

SQUARE = 16
MODELS = Path(__file__).resolve().parents[2]
TEST, SAMPLES = MODELS / "digits" / "test", MODELS / "digits" / "samples"


def main(work: Path) -> None:
    images = load_file(TEST / "x.safetensors")["x"][..., 0]
    truth = load_file(TEST / "y.safetensors")["y"].argmax(1)
    chosen = choose(truth)
    SAMPLES.mkdir(exist_ok=True)
    seen: dict[str, list[np.ndarray]] = {}
    for digit, index in enumerate(chosen):
        pixels = np.rint(images[index] * 255 / 16).astype(np.uint8)
        large = Image.fromarray(np.kron(pixels, np.ones((SQUARE, SQUARE), np.uint8)))
        large.save(SAMPLES / f"{digit}.png", optimize=True)
        for way, small in back_to_8x8(Image.open(SAMPLES / f"{digit}.png")).items():
            seen.setdefault(way, []).append(small)
        # Even squares make these the same numbers; the blurring ways below mix neighbours.
        for way in ("area", "bilinear", "nearest"):
            np.testing.assert_array_equal(seen[way][-1], pixels, err_msg=f"{digit}.png scaled by {way}")
    # Pixel values to the models' range, 0 to 16.
    scaled = {way: np.stack(small).astype(np.float32)[..., np.newaxis] * np.float32(16 / 255) for way, small in seen.items()}
    save_file(scaled, work / "samples.safetensors")
    print("held-out images drawn:", ", ".join(f"{digit}: {index}" for digit, index in enumerate(chosen)))


def choose(truth: np.ndarray) -> list[int]:
    """For each digit the index, among the held-out images, of the sample to draw."""
    answers = [next(iter(load_file(MODELS / m / "test" / "predictions.safetensors").values())) for m in ("digits", "digits-keras")]
    right = np.logical_and(*(answer.argmax(1) == truth for answer in answers))
    certainty = np.minimum(*(answer[np.arange(len(truth)), truth] for answer in answers))
    chosen = []
    for digit in range(10):
        rows = np.flatnonzero(right & (truth == digit))
        chosen.append(int(rows[np.argsort(certainty[rows], kind="stable")[len(rows) // 2]]))
    return chosen


def back_to_8x8(large: Image.Image) -> dict[str, np.ndarray]:
    """The picture scaled down by area average, bilinear with half-pixel centres, nearest, and three antialiasing filters."""
    exact = np.asarray(large, np.float64)
    squares = exact.reshape(8, SQUARE, 8, SQUARE)
    ways = {"area": squares.mean((1, 3)), "bilinear": bilinear(bilinear(exact).T).T, "nearest": exact[SQUARE // 2 :: SQUARE, SQUARE // 2 :: SQUARE]}
    filters = {"triangle": Image.BILINEAR, "catmull_rom": Image.BICUBIC, "lanczos": Image.LANCZOS}
    return ways | {name: np.asarray(large.resize((8, 8), way), np.float64) for name, way in filters.items()}


def bilinear(rows: np.ndarray) -> np.ndarray:
    """Eight rows of the picture at half-pixel centres, without antialiasing."""
    centre = (np.arange(8) + 0.5) * (len(rows) / 8) - 0.5
    low = np.floor(centre).astype(int)
    part = (centre - low)[:, np.newaxis]
    return rows[low] * (1 - part) + rows[low + 1] * part


if __name__ == "__main__":
    main(Path(sys.argv[1]))
