"""Writes golden cases with the real Keras 1.2.2, on TensorFlow or on Theano (KERAS_BACKEND says which), or with the real Keras 2.2.4 on
Theano, and runs the scripts that say which cases there are. Never computes an expected value itself.

The converter refuses files of Keras 1, so this writes the manifest itself, from the HDF5 file that Keras saves: `model_config`,
`keras_version` and the names of the weights as they are in there, each layer's in the order of `weight_names`, without the `:0` of
TensorFlow, as the converter strips it, unless a case keeps it. Keras 1 does not write which backend it ran on: `backend` is
added, as Keras 2 writes it and the converter hands it on, unless a case leaves it out.

    KERAS_BACKEND=tensorflow python lib/golden_old.py keras1/core.py ...
"""

import json
import os
import runpy
import shutil
import sys
import tempfile
import traceback
import warnings
import zlib
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
# Without a compiler: convolutions run in Python, slowly and exactly.
os.environ.setdefault("THEANO_FLAGS", "device=cpu,floatX=float32,cxx=,optimizer=None")
warnings.filterwarnings("ignore")
import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import backend as K  # noqa: E402

MAJOR = {"1.2.2": 1, "2.2.4": 2}[keras.__version__]
if MAJOR == 1:
    from keras.backend.common import reset_uids
else:
    from keras.backend import reset_uids
THEANO = K.backend() == "theano"
PRODUCER = "keras{}".format(MAJOR)
CASES = Path(os.environ["GOLDEN_CASES"]) / PRODUCER
written = []


def normal(*shape, **more):
    """A float input of this shape (batch included)."""
    return lambda rng: rng.normal(0, more.get("scale", 2.0), shape).astype("float32")


def ids(*shape, **more):
    """An input of whole numbers in [low, high)."""
    return lambda rng: rng.randint(more.get("low", 0), more.get("high", 8), shape).astype("int32")


def values(nested, dtype="float32"):
    """An input given value by value."""
    return lambda rng: np.array(nested, dtype)


def single(layer, shape, dtype="float32", batch=None):
    """A functional model of one layer over one input named `x`."""
    x = keras.layers.Input(batch_shape=(batch,) + tuple(shape), dtype=dtype, name="x")
    return keras.models.Model(x, layer(x))


def randomise(model, rng):
    """Gives every weight a seeded, non-trivial value that suits its role."""
    done = set()
    for weight in model.weights:
        if weight in done:
            continue
        done.add(weight)
        role, shape = weight.name.split(":")[0], K.get_value(weight).shape
        fan = max(1, int(np.prod(shape)) // max(1, max(shape)))
        ends = lambda *endings: any(role.endswith(end) for end in endings)  # noqa: E731
        if ends("gamma", "alphas", "betas", "a_right"):
            value = rng.uniform(0.5, 1.5, shape)
        elif ends("running_std"):
            value = rng.uniform(0.3, 2, shape)
        elif ends("bias", "_b", "_b_i", "_b_f", "_b_c", "_b_o", "_b_z", "_b_r", "_b_h", "_b_carry", "beta", "running_mean", "t_left", "t_right", "a_left"):
            value = rng.normal(0, 0.5, shape)
        else:
            value = rng.normal(0, 1.2 / fan**0.5, shape)
        K.set_value(weight, value.astype("float32"))


def golden(name, model, inputs, layers, kind="layer", note=None, edit=None, keep_suffix=False, backend=True, input_names=None):
    """Writes the case `name`; on Theano `name_theano`.

    inputs: makers in the order of the model's inputs. edit: changes the parsed model.json, for files of other versions. keep_suffix: the
    weights keep the `:0` of their names. backend: whether the file says the backend. input_names: of a Sequential, whose file has none.
    """
    name = name + ("_theano" if THEANO else "")
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    randomise(model, rng)
    fed = [make(rng) for make in inputs]
    predicted = model.predict(fed if len(fed) > 1 else fed[0], batch_size=len(fed[0]))
    predicted = predicted if isinstance(predicted, list) else [predicted]
    folder = CASES / name
    shutil.rmtree(str(folder), ignore_errors=True)
    folder.mkdir(parents=True)
    document, data = convert(model, keep_suffix, backend)
    (folder / "weights.bin").write_bytes(data) if data else None
    if edit:
        edit(document)
    (folder / "model.json").write_text(json.dumps(document))
    config = document["modelTopology"]["model_config"]["config"]
    if isinstance(config, list):
        in_names, out_names = input_names or [layer.name for layer in model.input_layers], [config[-1]["config"]["name"]]
    else:
        in_names, out_names = ([item[0] for item in config[key]] for key in ("input_layers", "output_layers"))
    assert len(in_names) == len(fed) and len(out_names) == len(predicted), (name, in_names, out_names)
    for array in predicted:
        assert np.isfinite(array).all(), name + ": the output is not finite"
    safetensors(folder / "inputs.safetensors", in_names, fed)
    safetensors(folder / "outputs.safetensors", out_names, predicted)
    caller = sys._getframe(1)
    while PRODUCER + "/" not in caller.f_code.co_filename:
        caller = caller.f_back
    about = {
        "layers": layers if isinstance(layers, list) else [layers],
        "kind": kind,
        "producer": "keras {} on ".format(keras.__version__) + ("Theano" if THEANO else "TensorFlow"),
        "recipe": "generate/{}/".format(PRODUCER) + Path(caller.f_code.co_filename).name,
    }
    if note:
        about["note"] = note
    (folder / "case.json").write_text(json.dumps(about, indent=1) + "\n")
    written.append(name)
    clear()


def clear():
    reset_uids()
    if not THEANO:
        K.clear_session()


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def convert(model, keep_suffix, backend):
    """The HDF5 file that Keras 1 saves, as the converter writes those of Keras 2."""
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch) / "model.h5")
        model.save(path)
        with h5py.File(path, "r") as file:
            topology = {"keras_version": text(file.attrs["keras_version"])}
            if backend:
                topology["backend"] = text(file.attrs["backend"]) if MAJOR == 2 else K.backend()
            topology["model_config"] = json.loads(text(file.attrs["model_config"]))
            specs, data = [], b""
            for layer in file["model_weights"].attrs["layer_names"]:
                group = file["model_weights"][text(layer)]
                for weight in group.attrs["weight_names"]:
                    value = np.ascontiguousarray(group[text(weight)][()].astype("float32"))
                    stored = text(weight) if keep_suffix else text(weight).split(":")[0]
                    specs.append({"name": stored, "shape": list(value.shape), "dtype": "float32"})
                    data += value.tobytes()
    manifest = [{"paths": ["weights.bin"] if specs else [], "weights": specs}]
    return {"format": "layers-model", "generatedBy": "keras v" + keras.__version__, "convertedBy": None, "modelTopology": topology, "weightsManifest": manifest}, data


DTYPES = {"float32": "F32", "int32": "I32"}


def safetensors(path, names, arrays):
    header, parts, offset, seen = {}, [], 0, {}
    for name, array in zip(names, arrays):
        data = np.ascontiguousarray(array).tobytes()
        seen[name] = seen.get(name, -1) + 1
        name = "{}:{}".format(name, seen[name]) if seen[name] else name
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(parts))


def skipped(name, error):
    """Says on stderr what this backend does not do, so that a missing case is never a surprise."""
    print("  " + PRODUCER + " on {}: no case `{}`: {}: {}".format(K.backend(), name, type(error).__name__, str(error).splitlines()[0][:160]), file=sys.stderr)
    clear()


def main(scripts):
    # The scripts import this module by its name.
    sys.modules["golden_old"] = sys.modules["__main__"]
    failed = []
    for script in scripts:
        before = len(written)
        try:
            runpy.run_path(str(Path(script).resolve()))
        except Exception:
            traceback.print_exc()
            failed.append(script)
        print(PRODUCER + " on {}: {}: {} cases".format(K.backend(), script, len(written) - before), flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main(sys.argv[1:])
