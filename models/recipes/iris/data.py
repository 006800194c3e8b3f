"""Takes Fisher's irises out of scikit-learn and splits them.

Writes <work>/iris.safetensors (sepal, petal, y) for the training script, and models/iris/test/{x,y}.safetensors, the 30
held-out flowers.

    python data.py <work folder>
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

SEED = 1936
TEST_FLOWERS = 30
TEST = Path(__file__).resolve().parents[2] / "iris" / "test"


def main(work: Path) -> None:
    iris = load_iris()
    x = iris.data.astype(np.float32)
    y = np.eye(3, dtype=np.float32)[iris.target]
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=TEST_FLOWERS, stratify=iris.target, random_state=SEED
    )
    work.mkdir(parents=True, exist_ok=True)
    TEST.mkdir(parents=True, exist_ok=True)
    write(work / "iris.safetensors", {**parts(x_train), "y": y_train})
    write(TEST / "x.safetensors", parts(x_test))
    write(TEST / "y.safetensors", {"y": y_test})
    print(f"{len(x_train)} flowers to train on, {len(x_test)} held out")


def parts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The model's two inputs: length and width of the sepal, length and width of the petal, in centimetres."""
    return {"sepal": x[:, :2], "petal": x[:, 2:]}


def write(path: Path, tensors: dict[str, np.ndarray]) -> None:
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
