"""Takes the handwritten digits out of scikit-learn and splits them, once and for every recipe.

Writes <work>/train.safetensors (x, y) for the training scripts, and models/digits/test/{x,y}.safetensors, the held-out
images no training script ever reads for anything but the final measurement.

    python data.py <work folder>
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 1797
TEST_IMAGES = 360
TEST = Path(__file__).resolve().parents[2] / "digits" / "test"


def main(work: Path) -> None:
    digits = load_digits()
    # 8x8 pixels of 0 (paper) to 16 (ink): the scale is kept, the models take it as it is.
    x = digits.images.astype(np.float32)[..., np.newaxis]
    y = np.eye(10, dtype=np.float32)[digits.target]
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=TEST_IMAGES, stratify=digits.target, random_state=SEED
    )
    work.mkdir(parents=True, exist_ok=True)
    TEST.mkdir(parents=True, exist_ok=True)
    write(work / "train.safetensors", {"x": x_train, "y": y_train})
    write(TEST / "x.safetensors", {"x": x_test})
    write(TEST / "y.safetensors", {"y": y_test})
    print(f"{len(x_train)} images to train on, {len(x_test)} held out")


def write(path: Path, tensors: dict[str, np.ndarray]) -> None:
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
