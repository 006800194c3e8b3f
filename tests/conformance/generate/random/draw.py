"""The random choices of one model, reproducible from its seed, and the options that many layers share."""

import random

from golden import K3, L, keras, tf

A, I, R, C = keras.activations, keras.initializers, keras.regularizers, keras.constraints

ACTIVATIONS = ["linear", "relu", "elu", "selu", "gelu", "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "swish", "softmax", "exponential", "mish"]
ACTIVATIONS += """relu6 leaky_relu celu silu hard_silu hard_swish hard_tanh hard_shrink log_sigmoid log_softmax soft_shrink sparse_plus sparse_sigmoid
    sparsemax squareplus tanh_shrink threshold""".split() if K3 else ["relu6", "leaky_relu", "crelu"]

# Names that a file must survive: those of weights and of other layers, separators, digits, other alphabets.
NAMES = ["kernel", "dense", "dense_1", "model", "layer", "x", "y", "bias", "dense_2", "a.b", "a-b", "cell", "forward_x", "UPPER", "_lead", "0", "1x", "lstm_cell", "functional"]
NAMES += ["größe", "with space", "層", "a:0", "colon:b", "per%cent", "hash#tag", "a>b", "quote'd", "back\\slash"] if K3 else ["a/b", "a/b/c", "a/kernel", "scope/dense", "a>b", "x/x"]


class Draw(random.Random):
    """A source of choices. `policy`: whether layers of this model have dtype policies of their own. `focus`: the family that most of its layers
    are of, and the module that has it, if it has one."""

    def __init__(self, seed):
        super().__init__(seed)
        self.taken = set()
        self.policy = self.maybe(0.06)
        self.focus = self.choices([None, "sequences", "images"], [3, 3, 2])[0]

    def maybe(self, p=0.5):
        return self.random() < p

    def one(self, *options):
        return self.choice(options)

    def some(self, p=0.35, **options):
        """Each option with probability `p`, and sometimes a name and the keys that every layer has."""
        kept = {key: value for key, value in options.items() if self.maybe(p)}
        name = self.choice(NAMES)
        if self.maybe(0.15) and name not in self.taken:
            self.taken.add(name)
            kept["name"] = name
        if self.maybe(0.04):
            kept["trainable"] = self.maybe()
        if self.policy and self.maybe(0.4):
            kept["dtype"] = self.dtype_policy()
        return kept

    def dtype_policy(self):
        name = self.one("float16", "mixed_float16", "mixed_float16", "float32")
        if self.maybe(0.3):
            return keras.DTypePolicy(name) if K3 else keras.mixed_precision.Policy(name)
        return name

    def units(self):
        return self.one(1, 2, 3, 4, 5, 6, 8, 12)

    def activation(self, gate=False):
        """An activation in one of its spellings: nothing, a name, a function, a layer object."""
        if gate:
            return self.one("sigmoid", "hard_sigmoid", "tanh", "relu", "softsign")
        if self.maybe(0.15):
            return None
        name = self.choice(ACTIVATIONS)
        if self.maybe(0.12):
            return self.one(
                lambda: L.ReLU(**self.pick(max_value=4.0, negative_slope=0.2, threshold=0.5)),
                lambda: L.LeakyReLU(**({"negative_slope": 0.1} if K3 else {"alpha": 0.1})),
                lambda: L.ELU(alpha=0.7),
                lambda: L.Softmax(axis=self.one(-1, -1, 1, -2)),
                lambda: L.PReLU(),
            )()
        if self.maybe(0.25):
            return getattr(A, name, None) or getattr(tf.nn, name, "relu") if not K3 else getattr(A, name)
        if not K3 and name in ("relu6", "leaky_relu", "crelu"):
            return getattr(tf.nn, name)
        return name

    def pick(self, **options):
        return {key: value for key, value in options.items() if self.maybe()}

    def initializer(self):
        return self.one(
            "zeros", "ones", "glorot_normal", "he_uniform", "lecun_normal", "RandomNormal",
            I.Constant(0.3), I.RandomNormal(0.1, 0.2, seed=3), I.RandomUniform(-0.2, 0.4), I.TruncatedNormal(stddev=0.3, seed=1), I.Zeros(), I.Ones(),
            I.VarianceScaling(2.0, "fan_out", "truncated_normal", seed=2), I.GlorotUniform(seed=5), I.HeNormal(), I.LecunUniform(),
        )

    def regularizer(self):
        return self.one("l1", "l2", "l1_l2", R.L1(0.1), R.L2(0.01), R.L1L2(0.1, 0.2))

    def constraint(self):
        return self.one("non_neg", "max_norm", C.NonNeg(), C.MaxNorm(2, axis=0), C.UnitNorm(axis=0), C.MinMaxNorm(0.1, 2.0, rate=0.5, axis=0))

    def weights(self, *roles, p=0.08):
        """Initializers, regularizers and constraints of these weights."""
        found = {}
        for role in roles:
            for kind, make in [("initializer", self.initializer), ("regularizer", self.regularizer), ("constraint", self.constraint)]:
                if self.maybe(p):
                    found[f"{role}_{kind}"] = make()
        if self.maybe(0.05):
            found["activity_regularizer"] = self.regularizer()
        return found

    def axis(self, rank, first=1):
        """One axis, counted from either end, never the batch."""
        axis = self.randrange(first, rank)
        return axis - rank if self.maybe() else axis

    def axes(self, rank, first=1):
        chosen = self.sample(range(first, rank), self.randint(1, rank - first))
        return [axis - rank if self.maybe(0.3) else axis for axis in chosen]

    def sizes(self, count, low=1, high=3):
        """A number for all axes, or one for each."""
        if self.maybe():
            return self.randint(low, high)
        return tuple(self.randint(low, high) for _ in range(count))
