"""Known networks at full size with seeded random weights, through the real converter into shards of the default 4 MiB, each with one
batch of inputs and what Keras predicts. 14 to 550 MB: never committed. Arguments: the network's name and the output folder."""

import json
import shutil
import sys
from pathlib import Path

import golden
from golden import PRODUCER, VERSION, L, interface, keras, np, safetensors

SEED = 20240229


def gpt2():
    """The 124 million parameters of the smallest GPT-2 out of KerasNLP's layers, with logits through the table of its tokens."""
    from keras_nlp.layers import PositionEmbedding, ReversibleEmbedding, TransformerDecoder
    from keras_nlp.src.utils.keras_utils import gelu_approximate

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    table = ReversibleEmbedding(50257, 768, name="token_embedding")
    x = table(tokens)
    x = L.Add(name="placed")([x, PositionEmbedding(1024, name="positions")(x)])
    for i in range(12):
        x = TransformerDecoder(3072, 12, activation=gelu_approximate, layer_norm_epsilon=1e-5, normalize_first=True, name=f"block_{i}")(x)
    x = L.LayerNormalization(epsilon=1e-5, name="final_norm")(x)
    return keras.Model(tokens, table(x, reverse=True), name="gpt2_124m")


def pictures(rng, low, high):
    """Smooth patches with noise, so that the pictures of the batch differ the way pictures do."""
    coarse = rng.uniform(0, 1, (3, 8, 8, 3))
    smooth = np.repeat(np.repeat(coarse, 28, axis=1), 28, axis=2)
    return (low + (high - low) * np.clip(smooth + rng.normal(0, 0.1, smooth.shape), 0, 1)).astype("float32")


def application(name, low, high, **options):
    make = getattr(keras.applications, name)
    return lambda: make(input_shape=(224, 224, 3), weights=None, classes=1000, classifier_activation=None, **options), lambda rng: pictures(rng, low, high)


NETWORKS = {
    "mobilenet_v2_224": application("MobileNetV2", -1, 1, alpha=1.0),
    "resnet50": application("ResNet50", -120, 130),
    "efficientnet_b0": application("EfficientNetB0", 0, 255),
    "densenet121": application("DenseNet121", -2, 2),
    "convnext_tiny": application("ConvNeXtTiny", 0, 255),
    "gpt2_124m": (gpt2, lambda rng: rng.integers(0, 50257, (2, 48)).astype("int32")),
}


def seeded(name, shape, layer, rng):
    """What a weight could be after training: He-initialised kernels, scales about one, small offsets."""
    kind = name.split("/")[-1].split(":")[0]
    if kind in ("gamma", "moving_variance"):
        # The scales of ConvNeXt's residual branches are small.
        low, high = (0.05, 0.2) if type(layer).__name__ == "LayerScale" else (0.7, 1.4)
        return rng.uniform(low, high, shape)
    if kind in ("beta", "moving_mean", "bias"):
        return rng.normal(0, 0.1, shape)
    if "embedding" in kind:
        return rng.normal(0, 0.05, shape)
    fan_in = np.prod(shape[:2]) if isinstance(layer, L.DepthwiseConv2D) else np.prod(shape[:-1])
    if len(shape) == 3:  # The projections of attention: features by heads by their size, or back.
        fan_in = np.prod(shape[:-1]) if "output" in name else shape[0]
    return rng.normal(0, (2 / fan_in) ** 0.5, shape)


def seed_weights(model, rng):
    for layer in model.layers:
        # The means and variances of a picture's channels are part of the network.
        if not isinstance(layer, L.Normalization):
            layer.set_weights([seeded(w.name, tuple(w.shape), layer, rng) for w in layer.weights])


def measure_statistics(model, batch, rng):
    """One pass in training mode with momentum 0 makes the statistics those of real activations, so that no layer fades or explodes; then
    they are moved a little."""
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    if not norms:
        return
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(batch, training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
        gamma, beta, mean, variance = layer.get_weights()
        moved = mean + rng.normal(0, 0.1, mean.shape) * np.sqrt(variance)
        layer.set_weights([gamma, beta, moved, np.maximum(variance, 1e-3) * rng.uniform(0.8, 1.25, variance.shape)])


def main(name, folder):
    rng = np.random.default_rng(SEED)
    keras.utils.set_random_seed(SEED)
    make, inputs = NETWORKS[name]
    model, batch = make(), inputs(rng)
    seed_weights(model, rng)
    measure_statistics(model, batch, rng)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # KerasNLP's decoder has two weights of one name, which the older format cannot store.
    golden.convert(model, folder, archive="keras" if name == "gpt2_124m" else "h5")
    logits = model.predict(batch, verbose=0)
    inputs, outputs = interface(model, json.loads((folder / "model.json").read_text()))
    safetensors(folder / "inputs.safetensors", inputs, [batch])
    safetensors(folder / "outputs.safetensors", outputs, [logits])
    layers = sorted({type(layer).__name__ for layer in model.layers} - {"InputLayer"})
    about = {"layers": layers, "kind": "network", "producer": f"keras {VERSION}", "recipe": "generate/keras2/large.py"}
    # Written last: with it the folder is whole.
    (folder / "case.json").write_text(json.dumps(about, indent=1) + "\n")
    shards = sorted(folder.glob("*.bin"))
    print(f"{PRODUCER}: {folder.name}: {len(shards)} shards, {sum(s.stat().st_size for s in shards)} bytes, logits {logits.min():.3f} to {logits.max():.3f}, "
          f"between examples {np.abs(logits[0] - logits[1]).max():.3f}")


main(sys.argv[1], Path(sys.argv[2]))
