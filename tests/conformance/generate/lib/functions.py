"""Models of many functions of the same inputs: each function is an output of its own, so a failure names the operation."""

import sys

import numpy as np
from golden import K3, golden, keras, tf

MAKERS = {
    "float32": lambda shape: lambda rng: rng.normal(0, 1.5, shape).astype("float32"),
    "int32": lambda shape: lambda rng: rng.integers(0, 4, shape).astype("int32"),
    "bool": lambda shape: lambda rng: rng.integers(0, 2, shape).astype(bool),
}


def flat(results):
    """Tensors of nested lists, tuples and dictionaries."""
    if isinstance(results, dict):
        return flat(list(results.values()))
    if isinstance(results, (list, tuple)):
        return [tensor for result in results for tensor in flat(result)]
    return [results]


def functions(name, table, x=(2, 3, 4), open_axes=False, note=None, layers=None, **others):
    """One case of the functions of `table`. Inputs are given by shape, or by `(dtype, shape)`: `x` and those named in `others`. With
    `open_axes`, the model knows no length but the last."""
    shapes = {"x": x, **others}
    specs = {key: spec if isinstance(spec[0], str) else ("float32", spec) for key, spec in shapes.items()}
    inputs = {}
    for key, (dtype, shape) in specs.items():
        known = [None] * (len(shape) - 2) + list(shape[-1:]) if open_axes and len(shape) > 1 else shape[1:]
        inputs[key] = keras.Input(known, dtype=dtype, name=key)
    outputs = [tensor for function in table for tensor in flat(function(*inputs.values()))]
    model = keras.Model(list(inputs.values()), outputs)
    nodes = model.operations if K3 else model.layers
    classes = layers or sorted({type(node).__name__ for node in nodes if type(node).__name__ != "InputLayer"})

    def called(fed, _weights):
        """`predict` joins batches, and not every result has one."""
        results = flat(model([tf.constant(value) for value in fed]))
        return [np.asarray(result) for result in results]

    golden(name, model, [MAKERS[dtype](shape) for dtype, shape in specs.values()], classes, twin=called,
           note=note or "operators, not layers; each output is one of them")


def working_functions(name, table, **shapes):
    """As `functions`, of those that this Keras can build, run and write: what it cannot is left out, and said."""
    specs = {"x": (2, 3, 4), **{key: spec for key, spec in shapes.items() if key != "open_axes"}}
    specs = [spec if isinstance(spec[0], str) else ("float32", spec) for spec in specs.values()]
    working = []
    for place, function in enumerate(table):
        inputs = [keras.Input([None] * (len(shape) - 2) + list(shape[-1:]) if shapes.get("open_axes") else shape[1:], dtype=dtype) for dtype, shape in specs]
        try:
            model = keras.Model(inputs, flat(function(*inputs)))
            text = model.to_json()
            if not K3:
                # Keras 2 writes what it cannot read back: nodes that lost their tensors.
                keras.models.model_from_json(text)
            rng = np.random.default_rng(0)
            for result in flat(model([tf.constant(MAKERS[dtype](shape)(rng)) for dtype, shape in specs])):
                result = np.asarray(result)
                assert str(result.dtype) in ("float32", "int32", "int64", "bool"), f"of type {result.dtype}"
                assert result.dtype.kind != "f" or np.isfinite(result).all(), "not finite"
            working.append(function)
        except Exception as error:
            print(f"  {name}: number {place} is left out: {type(error).__name__}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
    functions(name, working, **shapes)
