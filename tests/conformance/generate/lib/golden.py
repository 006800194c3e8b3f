"""Writes one golden case with the real Keras and the real converter: seeded weights and inputs, the files as the converter wrote
them, and what `predict` answered. Never computes an expected value itself.

GOLDEN_KERAS says which Keras this process uses (2: tf_keras, 3: keras); the two are never imported together, except that the
converter itself imports tf_keras.
"""

import json
import logging
import os
import re
import shutil
import sys
import tempfile
import types
import warnings
import zlib
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", ABSL_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", TF_DETERMINISTIC_OPS="1", CUDA_VISIBLE_DEVICES="-1")
K3 = os.environ["GOLDEN_KERAS"] == "3"
if K3:
    os.environ["KERAS_BACKEND"] = "tensorflow"
else:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

if K3:
    import keras
else:
    import tf_keras as keras

# The converter imports these at start-up and uses them only for conversions that are not ours. (After Keras, which would use a jax it finds.)
for missing in ("tensorflow_decision_forests", "jax", "jax.experimental", "jax.experimental.jax2tf"):
    sys.modules[missing] = types.ModuleType(missing)
sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]
from tensorflowjs import read_weights  # noqa: E402
from tensorflowjs.converters import converter, keras_h5_conversion  # noqa: E402

tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)

L = keras.layers
PRODUCER = "keras3" if K3 else "keras2"
VERSION = keras.__version__
CASES = Path(os.environ["GOLDEN_CASES"]) / PRODUCER
written = []


# ---- inputs ------------------------------------------------------------------------------------------------------------------


def normal(*shape, scale=2.0):
    """A float input of this shape (batch included)."""
    return lambda rng: rng.normal(0, scale, shape).astype("float32")


def ids(*shape, low=0, high=8, dtype="int32"):
    """An input of whole numbers in [low, high)."""
    return lambda rng: rng.integers(low, high, shape).astype(dtype)


def values(nested, dtype="float32"):
    """An input given value by value."""
    return lambda rng: np.array(nested, dtype)


# ---- models ------------------------------------------------------------------------------------------------------------------


def single(layer, shape, dtype="float32", **call):
    """A functional model of one layer over one input named `x`."""
    x = keras.Input(shape=shape, dtype=dtype, name="x")
    return keras.Model(x, layer(x, **call))


def randomise(model, rng):
    """Gives every weight a seeded, non-trivial value that suits its role."""
    new = []
    for weight in model.weights:
        role = (weight.path if K3 else weight.name.split(":")[0]).split("/")[-1]
        shape = tuple(weight.shape)
        fan = max(1, int(np.prod(shape[:-1])))
        value = {
            "gamma": lambda: rng.uniform(0.5, 1.5, shape),
            "beta": lambda: rng.normal(0, 0.5, shape),
            "bias": lambda: rng.normal(0, 0.5, shape),
            "moving_mean": lambda: rng.normal(0, 0.5, shape),
            "moving_variance": lambda: rng.uniform(0.3, 2, shape),
            "alpha": lambda: rng.uniform(0.05, 0.5, shape),
            "embeddings": lambda: rng.normal(0, 1, shape),
            "recurrent_kernel": lambda: rng.normal(0, 0.5, shape),
            "depthwise_kernel": lambda: rng.normal(0, 0.6, shape),
        }.get("depthwise_kernel" if role == "kernel" and "depthwise" in weight.name + str(getattr(weight, "path", "")) else role, lambda: rng.normal(0, 1.2 / fan**0.5, shape))()
        new.append(value.astype("float32"))
    model.set_weights(new)


# ---- cases -------------------------------------------------------------------------------------------------------------------


def golden(name, model, inputs, layers, kind="layer", note=None, keep_weights=False, twin=None, edit=None, batch_size=None, **options):
    """Writes the case `name`.

    inputs: a list of makers in the order of the model's inputs, or a dictionary of them. twin: computes the outputs instead of `model`
    from the same weights and inputs, `twin(inputs, weights)`. edit: changes the parsed model.json, for files that only other versions
    write. batch_size: how many rows `predict` takes at a time, for models whose batch is fixed. options: how the model is converted,
    see `convert`.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if not keep_weights:
        randomise(model, rng)
    if isinstance(inputs, dict):
        fed = {key: make(rng) for key, make in inputs.items()}
    else:
        fed = [make(rng) for make in inputs]
    folder = CASES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    convert(model, folder, **options)
    path = folder / "model.json"
    renumber(path)
    document = json.loads(path.read_text())
    if edit:
        edit(document)
        path.write_text(json.dumps(document))

    if "quantization_dtype_map" in options:
        dequantise(model, folder, document)
    if twin:
        predicted = twin(fed, model.get_weights())
    else:
        predicted = predict(model, fed, batch_size)
    in_names, out_names = interface(model, document)
    predicted = flatten_like(predicted, document)
    assert len(out_names) == len(predicted), (name, out_names, len(predicted))
    for array in predicted:
        assert array.dtype.kind != "f" or np.isfinite(array).all(), f"{name}: the output is not finite"
    by_name = fed if isinstance(fed, dict) else dict(zip(in_names, fed, strict=True))
    if any(array.dtype.kind in "OSU" for array in by_name.values()):
        (folder / "inputs.json").write_text(json.dumps({k: v.tolist() for k, v in by_name.items()}, ensure_ascii=False) + "\n")
    else:
        safetensors(folder / "inputs.safetensors", list(by_name), list(by_name.values()))
    safetensors(folder / "outputs.safetensors", out_names, predicted)
    caller = sys._getframe(1)
    while "generate" not in caller.f_code.co_filename or Path(caller.f_code.co_filename).parent == Path(__file__).parent:
        caller = caller.f_back
    recipe = "generate" + caller.f_code.co_filename.split("generate")[-1]
    about = {"layers": layers if isinstance(layers, list) else [layers], "kind": kind, "producer": f"keras {VERSION}", "recipe": recipe}
    if batch_size:
        about["batch_size"] = batch_size
    if note:
        about["note"] = note
    (folder / "case.json").write_text(json.dumps(about, indent=1) + "\n")
    written.append(name)
    (keras.utils if K3 else keras.backend).clear_session()


def predict(model, fed, batch_size=None):
    """What Keras itself predicts, in one batch, or in batches of this size."""
    if isinstance(fed, dict):
        batch = {key: tf.constant(value) if value.dtype.kind in "OSU" else value for key, value in fed.items()}
    else:
        batch = [tf.constant(value) if value.dtype.kind in "OSU" else value for value in fed]
        batch = batch[0] if len(batch) == 1 else batch
    return model.predict(batch, batch_size=batch_size, verbose=0)


def convert(model, folder, archive="h5", **options):
    """Runs the real converter: `save_keras_model`, or the command line for what only that can do.
    archive: `h5` or `keras`, the file between Keras and the converter (the latter only through its command line). options:
    quantization_dtype_map, weight_shard_size_bytes, split_weights_by_layer, metadata."""
    if archive == "h5" and not options.get("split_weights_by_layer"):
        quiet(lambda: keras_h5_conversion.save_keras_model(model, str(folder), **options))
        return
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"model.{archive}"
        quiet(lambda: model.save(file))
        flags = [f"--input_format={'keras' if archive == 'h5' else 'keras_keras'}", "--output_format=tfjs_layers_model"]
        flags += [f"--weight_shard_size_bytes={options['weight_shard_size_bytes']}"] if "weight_shard_size_bytes" in options else []
        flags += ["--split_weights_by_layer"] if options.get("split_weights_by_layer") else []
        flags += [f"--quantize_{dtype}=*" for dtype in options.get("quantization_dtype_map", {})]
        quiet(lambda: converter.convert([*flags, str(file), str(folder)]))


def renumber(path):
    """`shared_object_id` is an address in memory: small numbers in order of appearance keep the file the same from run to run."""
    text, numbers = path.read_text(), {}
    path.write_text(re.sub(r'("shared_object_id": )(\d+)', lambda m: m[1] + str(numbers.setdefault(m[2], len(numbers) + 1)), text))


def dequantise(model, folder, document):
    """Gives the model the weights that the converter's own reader finds in the quantised files, so that Keras predicts with those."""
    read = {w["name"]: w["data"] for w in read_weights.read_weights(document["weightsManifest"], str(folder), flatten=True)}
    model.set_weights([read[weight.path if K3 else weight.name.split(":")[0]] for weight in model.weights])


def quiet(action):
    """The converter prints on success."""
    out, sys.stdout = sys.stdout, open(os.devnull, "w")
    try:
        return action()
    finally:
        sys.stdout = out


# ---- names -------------------------------------------------------------------------------------------------------------------


def interface(model, document):
    """Names of inputs and outputs as the written file has them: layer names for a functional model, Keras's own otherwise."""
    topology = document["modelTopology"]
    root = topology.get("model_config", topology)
    config = root["config"]
    if "input_layers" in config:
        return references(config["input_layers"]), references(config["output_layers"])
    layers = config["layers"] if isinstance(config, dict) else config
    if layers[0]["class_name"] == "InputLayer":
        first = layers[0]["config"]["name"]
    else:
        first = model.input_names[0]
    return [first], [layers[-1]["config"]["name"]]


def references(tree):
    """Layer names of `[layer, node, tensor]` triples, however they are nested."""
    if isinstance(tree, dict):
        return [name for value in tree.values() for name in references(value)]
    if len(tree) >= 3 and isinstance(tree[0], str) and isinstance(tree[1], int):
        return [tree[0]]
    return [name for value in tree for name in references(value)]


def flatten_like(predicted, document):
    """Predictions in the order of `output_layers`: for a dictionary, the order of its keys in the file."""
    if isinstance(predicted, dict):
        topology = document["modelTopology"]
        keys = topology.get("model_config", topology)["config"]["output_layers"]
        return [np.asarray(predicted[key]) for key in keys]
    if isinstance(predicted, (list, tuple)):
        return [np.asarray(value) for value in predicted]
    return [np.asarray(predicted)]


DTYPES = {"float32": "F32", "float16": "F16", "int32": "I32", "int64": "I64", "bool": "U8"}


def safetensors(path, names, arrays):
    """Our own few lines instead of the package: it refuses repeated names' order and sorts by size."""
    header, parts, offset, seen = {}, [], 0, {}
    for name, array in zip(names, arrays, strict=True):
        array = np.ascontiguousarray(array) if array.ndim else array
        if array.dtype == np.int64:
            array = array.astype("int32")
        seen[name] = seen.get(name, -1) + 1
        data = array.tobytes()
        key = f"{name}:{seen[name]}" if seen[name] else name
        header[key] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def skipped(name, error):
    """Says on stderr what this Keras does not do, so that a missing case is never a surprise."""
    print(f"  {PRODUCER}: no case `{name}`: {type(error).__name__}: {str(error).splitlines()[0][:160]}", file=sys.stderr)
    shutil.rmtree(CASES / name, ignore_errors=True)
    (keras.utils if K3 else keras.backend).clear_session()
