"""A random graph: inputs, steps from the tensors there are to new ones, and a model of it. Each step is run on numbers as soon as it is built,
and forgotten if Keras fails with it."""

from collections import Counter

import numpy as np
from golden import K3, L, keras, tf
from layers import INTEGERS, Spec, make
from operations import BINARY, INTEGER, UNARY
from sequences import bidirectional, recurrent_layer, time_distributed

ELEMENTS = 6000
LARGEST = 1e4


class Node:
    def __init__(self, symbol, value, step):
        self.symbol, self.value, self.step, self.used = symbol, value, step, False
        self.dtype = tf.as_dtype(value.dtype).name
        self.full = tuple(value.shape)

    def spec(self, batch):
        return Spec(self.symbol.shape, self.full, self.dtype, batch)


def flat(result):
    if isinstance(result, dict):
        return flat(list(result.values()))
    if isinstance(result, (list, tuple)):
        return [tensor for part in result for tensor in flat(part)]
    return [result]


class Graph:
    def __init__(self, d, batch=None, rows=2, depth=0, discarded=None):
        self.d, self.batch, self.rows, self.depth = d, batch, rows, depth
        self.nodes, self.inputs, self.shared, self.steps = [], [], [], 0
        self.numbers = np.random.default_rng(d.getrandbits(32))
        self.discarded = discarded if discarded is not None else Counter()
        self.classes = set()

    # ---- inputs

    def input(self, like=None):
        """A new input: of random shape, or for the tensor that a nested model is called with."""
        d = self.d
        if like is not None:
            shape, full, dtype = like.symbol.shape[1:], like.full, like.dtype
        else:
            likely = {"sequences": [3, 12, 3, 1], "images": [1, 2, 12, 4], None: [3, 6, 5, 2]}[d.focus]
            rank = d.choices([2, 3, 4, 5], likely)[0]
            sizes = [d.randint(1, 7 if rank < 4 else 6) for _ in range(rank - 2)] + [d.randint(1, 6)]
            full = (self.rows, *sizes)
            shape = [None if i < rank - 2 and d.maybe(0.15) else size for i, size in enumerate(sizes)]
            dtype = "int32" if rank < 4 and d.maybe(0.3) else "float32"
            if dtype == "int32" and d.maybe(0.15):
                dtype = "int64"
        options = {"batch_size": self.batch} if self.batch else {}
        if d.maybe(0.5):
            options["name"] = d.one("x", "y", "input", "image", "a_b", "in1") + str(len(self.inputs))
        symbol = keras.Input(tuple(shape), dtype=dtype, **options)
        if like is not None:
            value = like.value
        elif dtype.startswith("int"):
            value = self.numbers.integers(0, 8, full).astype(dtype)
            value[self.numbers.random(full) < 0.25] = 0
        else:
            value = self.numbers.normal(0, 1.5, full).astype("float32")
            if len(full) >= 3 and d.maybe(0.4):
                # Steps of zeros, for Masking.
                value[self.numbers.random(full[:2]) < 0.35] = 0
        node = Node(symbol, tf.constant(value), 0)
        node.array = value
        self.inputs.append(node)
        self.nodes.append(node)
        if like is None and dtype.startswith("int") and d.maybe(0.7):
            self.step(self.integer_layer)
        return node

    # ---- steps

    def choose(self, fits):
        """A tensor that fits, rather a recent one."""
        fitting = [node for node in self.nodes if fits(node)]
        if not fitting:
            raise ValueError("no tensor fits")
        return self.d.choices(fitting, [1 + 2 * i + (6 if not node.used else 0) for i, node in enumerate(fitting)])[0]

    def apply(self, function, *nodes, layer=None):
        """Calls the function on symbols, then on numbers."""
        symbols = flat(function(*[node.symbol for node in nodes]))
        if layer is not None:
            randomise(layer, self.numbers)
        values = flat(function(*[node.value for node in nodes]))
        values = [tf.convert_to_tensor(value) for value in values]
        if len(symbols) != len(values):
            raise ValueError("another number of results")
        made = [Node(symbol, value, self.steps + 1) for symbol, value in zip(symbols, values)]
        for node in made:
            if np.prod(node.full, dtype=np.int64) > ELEMENTS or 0 in node.full or len(node.full) > 6:
                raise ValueError("a result too large, or empty")
            if not node.full or node.full[0] != self.rows:
                raise ValueError("a result without a batch")
            if node.dtype.startswith("float"):
                array = node.value.numpy().astype("float64")
                if not np.isfinite(array).all() or np.abs(array).max() > LARGEST:
                    raise ValueError("not finite, or large")
        for node in nodes:
            node.used = True
        self.nodes += made
        self.steps += 1
        return made

    def call(self, layer, *nodes, **arguments):
        """Calls a layer, now and then a second time, with what stands in the way of every call."""
        made = self.apply(lambda *tensors: layer(tensors[0] if len(tensors) == 1 else list(tensors), **arguments), *nodes, layer=layer)
        self.shared.append((layer, [node.full for node in nodes], [node.dtype for node in nodes], arguments))
        return made

    def step(self, kind=None):
        d = self.d
        kinds = {
            self.one_layer: 12, self.one_operation: 4, self.two_operation: 1.5, self.merge: 4, self.integer_layer: 4, self.integer_operation: 1.5,
            self.again: 1.5, self.with_mask: 0.7, self.nested: 1.5 if self.depth < 2 else 0, self.attention: 2, self.with_state: 1, self.dot: 0.4,
        }
        kind = kind or d.choices(list(kinds), list(kinds.values()))[0]
        try:
            kind()
            self.classes.add(kind.__name__)
            return True
        except Exception as error:
            self.discarded[f"{kind.__name__}: {type(error).__name__}"] += 1
            return False

    def floats(self, *ranks):
        return lambda node: node.dtype in ("float32", "float16") and (len(node.full) in ranks if ranks else 2 <= len(node.full) <= 5)

    def whole(self, node):
        return node.dtype in ("int32", "int64") and 2 <= len(node.full) <= 3

    def one_layer(self):
        d = self.d
        node = self.choose(self.floats())
        layer = make(d, node.spec(self.batch))
        arguments = {"training": False} if d.maybe(0.06) else {}
        self.call(layer, node, **arguments)

    def with_mask(self):
        """A layer whose mask is an argument that the graph computes."""
        d = self.d
        node = self.choose(self.floats(3))
        spec = node.spec(self.batch)
        layer = d.one(
            lambda: recurrent_layer(d, spec), lambda: bidirectional(d, spec), lambda: L.GlobalAveragePooling1D(), lambda: time_distributed(d, spec),
            lambda: L.Softmax(), lambda: L.BatchNormalization() if K3 else L.GlobalAveragePooling1D(**d.some(keepdims=True)),
        )()
        whole = type(layer).__name__ == "Softmax"
        limit = d.one(0, 0.5, -0.5)

        def call(x):
            if K3:
                mask = keras.ops.greater(x if whole else x[..., 0], limit)
            else:
                mask = tf.greater(x if whole else x[..., 0], limit)
            return layer(x, mask=mask)

        self.apply(call, node, layer=layer)

    def integer_layer(self):
        d = self.d
        node = self.choose(self.whole)
        makers = [maker for maker, ranks in INTEGERS if len(node.full) in ranks]
        if int(tf.reduce_max(node.value)) > 7 or int(tf.reduce_min(node.value)) < 0:
            raise ValueError("not in the table")
        self.call(d.choice(makers)(d, node.spec(self.batch)), node)

    def one_operation(self):
        node = self.choose(self.floats())
        maker = self.d.choice(list(UNARY.values()))
        self.apply(maker(self.d, node.spec(self.batch)), node)

    def integer_operation(self):
        node = self.choose(lambda node: self.whole(node))
        self.apply(self.d.choice(INTEGER)(self.d, node.spec(self.batch)), node)

    def partner(self, node):
        """Another tensor that broadcasts with this one: one there is, or a new one of it."""
        d = self.d
        fitting = [other for other in self.nodes if other is not node and other.dtype == node.dtype and len(other.full) > 1 and broadcasts(other, node)]
        if fitting and d.maybe(0.7):
            return d.choice(fitting)
        layer = d.one(
            lambda: L.Activation("tanh"), lambda: L.Dense(node.full[-1]), lambda: L.BatchNormalization(), lambda: L.Masking(0.0), lambda: L.Dropout(0.1),
            lambda: L.Dense(1), lambda: L.LayerNormalization(),
        )()
        return self.call(layer, node)[0]

    def two_operation(self):
        a = self.choose(self.floats())
        b = self.partner(a)
        self.apply(self.d.choice(BINARY)(self.d, a.spec(self.batch), b.spec(self.batch)), a, b)

    def merge(self):
        d = self.d
        a = self.choose(self.floats())
        others = [self.partner(a) for _ in range(d.choices([1, 2], [4, 1])[0])]
        kind = d.one("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Concatenate", "Concatenate")
        nodes = [a, *others][: 2 if kind == "Subtract" else None]
        d.shuffle(nodes)
        options = d.some()
        if kind == "Concatenate":
            options["axis"] = d.axis(len(a.full))
        self.call(getattr(L, kind)(**options), *nodes)

    def dot(self):
        d = self.d
        a = self.choose(self.floats(2, 3, 4))
        b = self.partner(a)
        axes = d.one(d.axis(len(a.full)), (d.axis(len(a.full)), d.axis(len(b.full))))
        self.call(L.Dot(axes=axes, **d.some(normalize=True)), a, b)

    def again(self):
        """A layer that is there is called again."""
        d = self.d
        layer, shapes, dtypes, arguments = d.choice(self.shared)
        nodes = [self.choose(lambda node, s=shape, t=dtype: node.full[-1] == s[-1] and len(node.full) == len(s) and node.dtype == t) for shape, dtype in zip(shapes, dtypes)]
        self.call(layer, *nodes, **arguments)

    def attention(self):
        d = self.d
        query = self.choose(self.floats(3))
        value = self.choose(self.floats(3)) if d.maybe() else query
        arguments = d.some(p=0.3, use_causal_mask=True, return_attention_scores=True)
        arguments.pop("name", None), arguments.pop("trainable", None), arguments.pop("dtype", None)
        kind = d.one("Attention", "AdditiveAttention", "MultiHeadAttention", "MultiHeadAttention", *(["GroupQueryAttention"] if K3 else []))
        if kind in ("Attention", "AdditiveAttention"):
            size = d.randint(1, 4)
            query, value = self.project(query, size), self.project(value, size)
            nodes = [query, value] + ([self.project(value, size)] if d.maybe(0.3) else [])
            options = d.some(dropout=0.2, use_scale=True, **({"score_mode": d.one("dot", "concat")} if kind == "Attention" else {}))
            self.call(getattr(L, kind)(**options), *nodes, **arguments)
            return
        if kind == "MultiHeadAttention":
            options = d.some(p=0.3, value_dim=d.randint(1, 4), use_bias=False, dropout=0.1, output_shape=d.randint(1, 5), **d.weights("kernel", "bias", p=0.05))
            layer = L.MultiHeadAttention(d.randint(1, 3), d.randint(1, 4), **options)
        else:
            layer = L.GroupQueryAttention(d.randint(1, 3), d.choice([2, 4]), d.choice([1, 2]), **d.some(use_bias=False, dropout=0.1))
        nodes = [query, value] + ([self.choose(lambda node: node is value)] if d.maybe(0.2) else [])
        if d.maybe(0.3) and query.full[1] and value.full[1]:
            self.masked_attention(layer, nodes, arguments)
            return
        self.apply(lambda *tensors: layer(*tensors, **arguments), *nodes, layer=layer)

    def masked_attention(self, layer, nodes, arguments):
        """With a mask that the graph computes from the inputs."""
        form = self.d.choice([0, 1])

        def call(*tensors):
            query, value = tensors[:2]
            if K3:
                ops = keras.ops
                mask = ops.greater(ops.matmul(query[..., :1], ops.swapaxes(value[..., :1], 1, 2)), 0)
                mask = ops.expand_dims(mask, 1) if form else mask
            else:
                mask = tf.greater(tf.matmul(query[..., :1], value[..., :1], transpose_b=True), 0)
                mask = tf.cast(mask, "int32") if form else mask
            return layer(*tensors, attention_mask=mask, **arguments)

        self.apply(call, *nodes, layer=layer)

    def project(self, node, size):
        if node.full[-1] == size:
            return node
        return self.call(L.Dense(size, **self.d.some()), node)[0]

    def with_state(self):
        """A recurrent layer that starts from states of the graph."""
        d = self.d
        node = self.choose(self.floats(3))
        units = d.randint(1, 4)
        layer = recurrent_layer(d, node.spec(None), units=units)
        if "RNN" == type(layer).__name__ and hasattr(layer.cell, "cells"):
            raise ValueError("one state")
        cell = getattr(layer, "cell", layer)
        count = 2 if "LSTM" in type(cell).__name__ else 1
        if d.maybe(0.25):
            layer, count = L.Bidirectional(layer), 2 * count
        source = self.choose(self.floats(2))
        states = [self.project(source, units) if d.maybe(0.7) or source.full[-1] == units else self.call(L.Dense(units), source)[0] for _ in range(count)]
        as_list = len(states) > 1 or d.maybe()
        self.apply(lambda x, *s: layer(x, initial_state=list(s) if as_list else s[0]), node, *states, layer=layer)

    def nested(self):
        """A model as a layer, called once or twice."""
        d = self.d
        outside, d.taken = d.taken, set()
        try:
            self.nested_model()
        finally:
            d.taken = outside

    def nested_model(self):
        d = self.d
        nodes = [self.choose(self.floats())]
        if d.maybe(0.2):
            nodes.append(self.choose(self.floats()))
        inner = Graph(d, self.batch, self.rows, self.depth + 1, self.discarded)
        name = {"name": d.one("inner", "block", "model", "sequential", "dense", "encoder")} if d.maybe(0.3) else {}
        if d.maybe(0.4):
            model, layers = chain(inner, nodes[:1], d.randint(1, 3), name)
            nodes = nodes[:1]
        else:
            for node in nodes:
                inner.input(like=node)
            inner.grow(d.randint(1, 4))
            model = inner.model(name)
        arguments = {"training": False} if d.maybe(0.1) else {}
        self.call(model, *nodes, **arguments)
        if d.maybe(0.35):
            more = [self.choose(lambda node, n=node: node.full == n.full and node.dtype == n.dtype) for node in nodes]
            self.call(model, *more)

    # ---- the whole

    def grow(self, steps):
        tries = 0
        while self.steps < steps and tries < 6 * steps + 10:
            self.step()
            tries += 1

    def outputs(self):
        leaves = [node for node in self.nodes if not node.used and node not in self.inputs]
        inner = [node for node in self.nodes if node.used and node not in self.inputs]
        if not leaves and not inner:
            raise ValueError("nothing was built")
        chosen = leaves[-5:] or [self.d.choice(inner)]
        if inner and self.d.maybe(0.2):
            chosen.append(self.d.choice(inner))
        if self.d.maybe(0.3):
            self.d.shuffle(chosen)
        if self.depth and self.d.maybe(0.7):
            chosen = chosen[:1]
        return chosen

    def model(self, options):
        self.chosen = self.outputs()
        outputs = [node.symbol for node in self.chosen]
        inputs = [node.symbol for node in self.inputs]
        if self.d.maybe(0.2) and len(inputs) > 1:
            order = self.d.sample(range(len(inputs)), len(inputs))
            self.inputs = [self.inputs[i] for i in order]
            inputs = [inputs[i] for i in order]
        return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs, **options)


def broadcasts(a, b):
    try:
        return len(a.full) == len(b.full) and np.broadcast_shapes(a.full, b.full) is not None and a.full[0] == b.full[0]
    except ValueError:
        return False


def chain(graph, nodes, steps, options):
    """A Sequential: layers of one input and one output, one after the other, tried in a graph of its own."""
    d = graph.d
    node = graph.input(like=nodes[0] if nodes else None)
    first = node.symbol
    layers, tries = [], 0
    while len(layers) < steps and tries < 8 * steps:
        tries += 1
        try:
            if node.dtype.startswith("int"):
                makers = [maker for maker, ranks in INTEGERS if len(node.full) in ranks]
                layer = d.choice(makers)(d, node.spec(graph.batch))
            else:
                layer = make(d, node.spec(graph.batch))
            before = len(graph.nodes)
            made = graph.call(layer, node)
            if len(made) != 1 or len(made[0].full) < 2:
                raise ValueError("several results")
            layers.append(layer)
            node = made[0]
        except Exception as error:
            graph.discarded[f"sequential: {type(error).__name__}"] += 1
    if not layers:
        raise ValueError("nothing was built")
    start = [] if d.maybe(0.2) and not graph.batch else [keras.Input(first.shape[1:], dtype=first.dtype, **({"batch_size": graph.batch} if graph.batch else {}))]
    model = keras.Sequential([*start, *layers], **options)
    if not start:
        model.build(first.shape)
    graph.chosen = [node]
    return model, layers


def randomise(layer, numbers):
    """Gives the weights of a layer values that suit their roles."""
    new = []
    for weight in layer.weights:
        role = (weight.path if K3 else weight.name.split(":")[0]).split("/")[-1]
        shape = tuple(weight.shape)
        kept = weight.numpy()
        if kept.dtype.kind != "f" or role in ("mean", "variance", "sn_u", "vector_u") or getattr(layer, "_random_before", False):
            new.append(kept)
            continue
        fan = max(1, int(np.prod(shape[:-1])))
        value = {
            "gamma": lambda: numbers.uniform(0.5, 1.5, shape),
            "scale": lambda: numbers.uniform(0.5, 1.5, shape),
            "moving_mean": lambda: numbers.normal(0, 0.5, shape),
            "moving_variance": lambda: numbers.uniform(0.3, 2, shape),
            "alpha": lambda: numbers.uniform(0.05, 0.5, shape),
            "embeddings": lambda: numbers.normal(0, 1, shape),
            "beta": lambda: numbers.normal(0, 0.5, shape),
            "bias": lambda: numbers.normal(0, 0.5, shape),
        }.get(role, lambda: numbers.normal(0, 1.2 / fan**0.5, shape))()
        new.append(np.asarray(value).astype(kept.dtype))
    if new:
        layer.set_weights(new)
    layer._random_before = True
