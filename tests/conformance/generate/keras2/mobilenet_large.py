"""MobileNetV2 at full size (alpha 1.0, 224x224, 1000 classes) with seeded random weights, through the real converter into shards of the
default 4 MiB, with one batch of images and what Keras predicts. About 14 MB: never committed. Argument: the output folder."""

import json
import shutil
import sys
from pathlib import Path

from golden import PRODUCER, VERSION, convert, interface, keras, np, safetensors

SEED = 20240229


def seeded_weights(model, rng):
    """He-initialised kernels and random batch-norm parameters."""
    for layer in model.layers:
        weights = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = weights[0].shape
            layer.set_weights([rng.uniform(0.7, 1.4, channels), rng.normal(0, 0.4, channels), rng.normal(0, 0.2, channels), rng.uniform(0.6, 1.5, channels)])
        elif weights:
            kernel = weights[0]
            fan_in = np.prod(kernel.shape[:2]) if isinstance(layer, keras.layers.DepthwiseConv2D) else np.prod(kernel.shape[:-1])
            layer.set_weights([rng.normal(0, (2 / fan_in) ** 0.5, kernel.shape)] + [rng.normal(0, 0.3, w.shape) for w in weights[1:]])


def measured_statistics(model, rng):
    """One pass in training mode with momentum 0 makes the statistics those of real activations, so that no layer fades or explodes; then
    they are moved a little."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(rng.uniform(-1, 1, (4, 224, 224, 3)).astype("float32"), training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
        gamma, beta, mean, variance = layer.get_weights()
        layer.set_weights([gamma, beta, mean + rng.normal(0, 0.1, mean.shape) * np.sqrt(variance), np.maximum(variance, 1e-3) * rng.uniform(0.8, 1.25, variance.shape)])


def images(rng):
    """Smooth patches with noise, so that the images of the batch differ the way pictures do."""
    coarse = rng.uniform(-1, 1, (3, 8, 8, 3))
    smooth = np.repeat(np.repeat(coarse, 28, axis=1), 28, axis=2)
    return np.clip(smooth + rng.normal(0, 0.2, smooth.shape), -1, 1).astype("float32")


def main(folder):
    rng = np.random.default_rng(SEED)
    model = keras.applications.MobileNetV2(input_shape=(224, 224, 3), alpha=1.0, weights=None, classes=1000, classifier_activation=None)
    seeded_weights(model, rng)
    measured_statistics(model, rng)
    batch = images(rng)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    convert(model, folder)
    logits = model.predict(batch, verbose=0)
    inputs, outputs = interface(model, json.loads((folder / "model.json").read_text()))
    safetensors(folder / "inputs.safetensors", inputs, [batch])
    safetensors(folder / "outputs.safetensors", outputs, [logits])
    about = {"layers": ["Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "ZeroPadding2D", "Add", "GlobalAveragePooling2D", "Dense"],
             "kind": "network", "producer": f"keras {VERSION}", "recipe": "generate/keras2/mobilenet_large.py"}
    (folder / "case.json").write_text(json.dumps(about, indent=1) + "\n")
    shards = sorted(folder.glob("*.bin"))
    print(f"{PRODUCER}: {folder.name}: {len(shards)} shards, {sum(s.stat().st_size for s in shards)} bytes, logits {logits.min():.3f} to {logits.max():.3f}, "
          f"between images {np.abs(logits[0] - logits[1]).max():.3f}")


main(Path(sys.argv[1]))
