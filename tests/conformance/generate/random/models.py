"""Random models of Keras 2 and Keras 3: makes a case of each seed in [FIRST, LAST).

    GOLDEN_CASES=FOLDER GOLDEN_KERAS=2|3 PYTHONPATH=lib python random/models.py FIRST LAST

Whatever Keras cannot build, run, save or read back is discarded, and counted on stderr.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import golden
import numpy as np
from draw import Draw
from golden import CASES, K3, PRODUCER, keras, tf
from graph import Graph, chain, flat


def name_of(seed):
    return f"random_{seed:06}"


def build(seed, discarded):
    """The model of a seed, and the graph it was drawn with."""
    d = Draw(f"{PRODUCER} {seed}")
    batch = d.one(1, 2, 3) if d.maybe(0.12) else None
    graph = Graph(d, batch, batch or d.choices([1, 2, 3], [1, 6, 2])[0], discarded=discarded)
    if d.policy and d.maybe(0.4):
        set_policy(d.one("mixed_float16", "float16"))
    options = {"name": d.one("net", "model_1", "functional", "a_model")} if d.maybe(0.3) else {}
    if d.maybe(0.15):
        model, _ = chain(graph, [], d.randint(1, 6), options)
    else:
        for _ in range(d.choices([1, 2, 3], [6, 3, 1])[0]):
            graph.input()
        graph.grow(d.choices([1, 2, 3, 4, 6, 8, 10], [4, 4, 4, 3, 3, 2, 1])[0])
        model = graph.model(options)
    archive = "keras" if d.maybe(0.25) else "h5"
    convert = {"archive": archive}
    if d.maybe(0.05):
        convert["weight_shard_size_bytes"] = d.one(64, 200)
    if d.maybe(0.05) and archive == "h5":
        convert["split_weights_by_layer"] = True
    return d, graph, model, convert


def set_policy(name):
    (keras.config.set_dtype_policy if K3 else keras.mixed_precision.set_global_policy)(name)


def forget_states(model):
    """States of zero, as a model has them when it is loaded."""
    for layer in model._flatten_layers():
        for method in ("reset_states", "reset_state"):
            if hasattr(layer, method) and getattr(layer, "stateful", False):
                getattr(layer, method)()


def called(model, fed):
    forget_states(model)
    tensors = [tf.constant(value) for value in fed]
    return [np.asarray(result) for result in flat(model(tensors[0] if len(tensors) == 1 else tensors, training=False))]


def predicted(model, fed, batch):
    forget_states(model)
    return [np.asarray(result) for result in flat(model.predict(fed[0] if len(fed) == 1 else fed, batch_size=batch, verbose=0))]


def close(a, b, tolerance):
    if a.shape != b.shape:
        return False
    a, b = a.astype("float64"), b.astype("float64")
    return np.abs(a - b).max(initial=0) <= tolerance * max(1e-3, np.abs(a).max(initial=0))


def check_reading(model, graph, fed, before, tolerance):
    """Keras reads back what it writes, or the file is no witness."""
    known = {} if K3 else {name: getattr(keras.layers, name) for name in ("SpectralNormalization",)}
    read = keras.models.model_from_json(model.to_json(), custom_objects=known)
    if len(read.weights) != len(model.weights):
        raise AssertionError("read back with other weights")
    read.set_weights(model.get_weights())
    after = called(read, fed)
    if len(before) != len(after) or not all(close(a, b, tolerance) for a, b in zip(before, after)):
        raise AssertionError("read back, it computes something else")


def check_condition(model, fed, before, half):
    """Inputs that differ in their last digits give about the same: a model that is not so, such as one that compares what is almost equal,
    says nothing of rounding that is right."""
    numbers = np.random.default_rng(0)
    step, allowed = (5e-4, 2e-2) if half else (1e-6, 3e-5)
    moved = [value * (1 + step * numbers.choice([-1, 1], value.shape)).astype("float32") if value.dtype.kind == "f" else value for value in fed]
    if not all(close(a, b, allowed) for a, b in zip(before, called(model, moved))):
        raise AssertionError("its rounding matters")


def one(seed, discarded):
    d, graph, model, convert = build(seed, discarded)
    fed = [node.array for node in graph.inputs]
    outputs = predicted(model, fed, graph.batch) if d.maybe(0.05) else called(model, fed)
    half = d.policy or any(node.dtype == "float16" for node in graph.nodes) or any(a.dtype == np.float16 for a in outputs)
    check_reading(model, graph, fed, outputs, 2e-2 if half else 1e-5)
    check_condition(model, fed, outputs, half)
    makers = [lambda rng, value=value: value for value in fed]
    forget_states(model)
    golden.golden(name_of(seed), model, makers, sorted(graph.classes) or ["sequential"], "half" if half else "layer" if graph.steps < 2 else "network", note=f"seed {seed}",
                  keep_weights=True, twin=lambda _fed, _weights: outputs, batch_size=graph.batch, **convert)


def main(first, last):
    discarded, started, failures = Counter(), time.time(), Counter()
    written = 0
    for seed in range(first, last):
        try:
            one(seed, discarded)
            written += 1
        except Exception as error:
            failures[f"{type(error).__name__}: {str(error).splitlines()[0][:60] if str(error) else ''}"] += 1
            golden.shutil.rmtree(CASES / name_of(seed), ignore_errors=True)
        finally:
            set_policy("float32")
            (keras.utils if K3 else keras.backend).clear_session()
    print(f"{PRODUCER}: seeds {first} to {last - 1}: {written} models in {time.time() - started:.0f} s", flush=True)
    for counts in (failures, discarded):
        print("  discarded: " + "; ".join(f"{count} {why}" for why, count in counts.most_common(30)), file=sys.stderr)


main(int(sys.argv[1]), int(sys.argv[2]))
