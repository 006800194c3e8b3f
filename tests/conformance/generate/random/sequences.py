"""Recurrent layers, and wrappers around layers."""

from golden import K3, L
from layers import Spec, layer, make

CELLS = ["LSTM", "GRU", "SimpleRNN"]


def cell_options(d, kind):
    options = d.some(p=0.25, use_bias=d.maybe(), activation=d.activation(), dropout=0.2, recurrent_dropout=0.3)
    if kind != "SimpleRNN" and d.maybe(0.25):
        options["recurrent_activation"] = d.activation(gate=True)
    if kind == "LSTM" and d.maybe(0.2):
        options["unit_forget_bias"] = False
    if kind == "GRU" and d.maybe(0.35):
        options["reset_after"] = d.maybe()
    return {**options, **d.weights("kernel", "recurrent", "bias", p=0.04)}


def sequence_options(d, x, own=True):
    options = d.some(p=0.25, return_sequences=True, go_backwards=True)
    options.pop("name", None)
    options.pop("dtype", None)
    if own and d.maybe(0.2):
        options["return_state"] = True
    if own and x.batch and d.maybe(0.5):
        options["stateful"] = True
    if x.shape[1] is not None and d.maybe(0.15):
        options["unroll"] = True
    if d.maybe(0.15):
        options["zero_output_for_mask"] = True
    if not K3 and own and d.maybe(0.08):
        options["time_major"] = True
    return options


def recurrent_layer(d, x, own=True, **fixed):
    kind = d.choice(CELLS)
    units = fixed.pop("units", None) or d.units()
    options = {**sequence_options(d, x, own), **fixed}
    if d.maybe(0.3):
        cells = [cell(d, units)]
        if d.maybe(0.4):
            cells = [cell(d, d.units()) for _ in range(d.randint(1, 2))] + cells
        holder = cells[0] if len(cells) == 1 else d.one(cells, L.StackedRNNCells(cells))
        return L.RNN(holder, **options)
    if kind != "SimpleRNN" and d.maybe(0.2) and not K3:
        options["implementation"] = d.one(1, 2)
    return getattr(L, kind)(units, **{**cell_options(d, kind), **options})


def cell(d, units):
    kind = d.choice(CELLS)
    return getattr(L, f"{kind}Cell")(units, **cell_options(d, kind))


@layer(3, weight=9, family="sequences")
def recurrent(d, x):
    return recurrent_layer(d, x)


@layer(4, 5, weight=2, family="sequences")
def conv_lstm(d, x):
    axes = x.rank - 3
    options = {"kernel_size": d.sizes(axes), **d.some(p=0.3, padding="same", strides=d.sizes(axes, 1, 2), return_sequences=True, go_backwards=True, use_bias=False)}
    if "strides" not in options and d.maybe(0.2):
        options["dilation_rate"] = d.sizes(axes, 1, 2)
    if d.maybe(0.2):
        options["return_state"] = True
    if d.maybe(0.25):
        options["recurrent_activation"] = d.activation(gate=True)
    if d.maybe(0.3):
        options["activation"] = d.activation()
    if x.batch and d.maybe(0.4):
        options["stateful"] = True
    return getattr(L, f"ConvLSTM{axes}D")(d.randint(1, 4), **options, **d.weights("kernel", "recurrent", "bias", p=0.03))


@layer(3, weight=5, family="sequences")
def bidirectional(d, x):
    units = d.units()
    options = {"return_sequences": d.maybe()}
    if d.maybe(0.15):
        options["return_state"] = True
    if x.batch and d.maybe(0.4):
        options["stateful"] = True
    forward = recurrent_layer(d, x, own=False, units=units, **options, go_backwards=d.maybe(0.1))
    wrapped = d.some(p=0.6, merge_mode=d.one("concat", "sum", "mul", "ave", None))
    if d.maybe(0.3):
        wrapped["backward_layer"] = recurrent_layer(d, x, own=False, units=units, **options, go_backwards=not forward.go_backwards)
    return L.Bidirectional(forward, **wrapped)


@layer(3, 4, 5, weight=5, family="sequences")
def time_distributed(d, x):
    inner = Spec(x.shape[:1] + x.shape[2:], x.full[:1] + x.full[2:], x.dtype)
    layer = make(d, inner)
    return L.TimeDistributed(layer, **d.some())
