//! The networks whose training the producers wrote down, built by hand: forward, loss, gradients and descent in one program.

use std::collections::BTreeMap;
use tfjs_ir::grad::gradients;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::normalize::BatchNorm;
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::Window;
use tfjs_ir::{Array, Builder, Dim, ElementType, Program, Target, Type, Value};
use tfjs_manifest::{Error, Result};

/// What a network is given, and how it is built.
struct Blueprint {
    /// The dimensions of an example.
    x: &'static [usize],
    outputs: usize,
    build: fn(&mut Network) -> Result<Value>,
}

fn blueprint(network: &str, producer: &str) -> Option<Blueprint> {
    Some(match network {
        // The fused kernel of Keras 2 corrects the variance that it keeps, not the one it divides by.
        "conv_bn" if producer == "keras2" => Blueprint { x: &[6, 6, 1], outputs: 3, build: |net| net.conv_bn(true) },
        "conv_bn" => Blueprint { x: &[6, 6, 1], outputs: 3, build: |net| net.conv_bn(false) },
        "masked_lstm" => Blueprint { x: &[5], outputs: 1, build: Network::masked_lstm },
        "dense_bn" => Blueprint { x: &[3], outputs: 2, build: Network::dense_bn },
        _ => return None,
    })
}

/// One step of descent for these weights. Inputs: `x`, `y`, `rate`. Output: `loss`.
pub(super) fn descent(network: &str, producer: &str, weights: &BTreeMap<String, Array>) -> Result<Program> {
    let Some(Blueprint { x, outputs, build }) = blueprint(network, producer) else {
        return Err(Error::misuse(format!("no network `{network}`")));
    };
    let mut b = Builder::default();
    let batch = b.dims().symbol("batch");
    let mut dims = vec![batch];
    dims.extend(x.iter().map(|&n| b.number(n)));
    let y_dims = [batch, b.number(outputs)];
    let x = b.input("x", Type::new(ElementType::F32, dims))?;
    let y = b.input("y", Type::new(ElementType::F32, y_dims))?;
    let rate = b.input("rate", Type::scalar(ElementType::F32))?;
    let mut slots = BTreeMap::new();
    for (name, array) in weights {
        let dims: Vec<Dim> = array.dims().iter().map(|&n| b.number(n)).collect();
        slots.insert(name.clone(), Target::Slot(b.slot(name, Type::new(ElementType::F32, dims))?));
    }
    let mut network = Network { b, batch, x, y, slots, trained: Vec::new() };
    let loss = build(&mut network)?;
    let Network { mut b, trained, .. } = network;
    let values: Vec<Value> = trained.iter().map(|(_, value)| *value).collect();
    let slopes = gradients(&mut b, loss, &values)?;
    for ((target, weight), slope) in trained.into_iter().zip(slopes) {
        let change = b.mul(rate, slope)?;
        let next = b.sub(weight, change)?;
        b.set(target, next)?;
    }
    b.finish(vec![("loss".to_string(), loss)])
}

struct Network {
    b: Builder,
    batch: Dim,
    x: Value,
    y: Value,
    /// The weights by name.
    slots: BTreeMap<String, Target>,
    /// The weights that are trained.
    trained: Vec<(Target, Value)>,
}

impl Network {
    fn conv_bn(&mut self, corrects: bool) -> Result<Value> {
        let windows: Vec<Window> = vec!["3:same".parse()?; 2];
        let (kernel, bias) = (self.weight("conv", "kernel")?, self.weight("conv", "bias")?);
        let h = self.b.conv(self.x, kernel, &windows, 1)?;
        let h = self.b.add(h, bias)?;
        let h = self.batch_norm(h, corrects)?;
        let windows: Vec<Window> = vec!["2/2:valid".parse()?; 2];
        let h = self.b.pool(PoolOp::Max, h, &windows)?;
        let flat = self.b.number(18);
        let h = self.b.reshape(h, &[self.batch, flat])?;
        let h = self.dense(h, "dense")?;
        let p = self.b.softmax(h, &[1])?;
        let p = self.b.activate(Activation::Clip { low: 1e-7, high: 1.0 - 1e-7 }, p)?;
        let log = self.b.unary(UnaryOp::Log, p)?;
        let right = self.b.mul(self.y, log)?;
        let sum = self.b.reduce(ReduceOp::Sum, right, &[1], false)?;
        let mean = self.b.reduce(ReduceOp::Mean, sum, &[0], false)?;
        self.b.unary(UnaryOp::Neg, mean)
    }

    fn masked_lstm(&mut self) -> Result<Value> {
        let mask = self.b.compare_scalar(CompareOp::Ne, self.x, 0.0)?;
        let ids = self.b.cast(self.x, ElementType::I32)?;
        let table = self.weight("embedding", "embeddings")?;
        let h = self.b.gather(table, ids, 0, Bounds::Error)?;
        let [kernel, recurrent, bias] = ["kernel", "recurrent_kernel", "bias"].map(|role| self.weight("lstm", role));
        let units = self.b.number(4);
        let zeros = self.b.full(ElementType::F32, &[self.batch, units], 0.0)?;
        let rnn = Rnn {
            cell: Cell::Lstm,
            activation: Gate(Some(Activation::Tanh {})),
            recurrent_activation: Gate(Some(Activation::Sigmoid {})),
            backwards: false,
            bias: true,
            mask: true,
            masked_output: MaskedOutput::Previous,
        };
        let last = self.b.push(rnn, &[h, kernel?, recurrent?, bias?, zeros, zeros, mask])?[1];
        let h = self.dense(last, "dense")?;
        let p = self.b.activate(Activation::Sigmoid {}, h)?;
        // -(y log p + (1 - y) log(1 - p))
        let one = self.b.scalar(ElementType::F32, 1.0)?;
        let (q, other) = (self.b.sub(one, p)?, self.b.sub(one, self.y)?);
        let (log_p, log_q) = (self.b.unary(UnaryOp::Log, p)?, self.b.unary(UnaryOp::Log, q)?);
        let (right, wrong) = (self.b.mul(self.y, log_p)?, self.b.mul(other, log_q)?);
        let sum = self.b.add(right, wrong)?;
        let mean = self.b.reduce(ReduceOp::Mean, sum, &[0, 1], false)?;
        self.b.unary(UnaryOp::Neg, mean)
    }

    fn dense_bn(&mut self) -> Result<Value> {
        let h = self.dense(self.x, "hidden")?;
        let h = self.b.activate(Activation::Tanh {}, h)?;
        let h = self.batch_norm(h, false)?;
        let h = self.dense(h, "dense")?;
        let error = self.b.sub(h, self.y)?;
        let square = self.b.mul(error, error)?;
        self.b.reduce(ReduceOp::Mean, square, &[0, 1], false)
    }

    /// A weight that is trained, by its layer and role: producers differ in what else is in its name.
    fn weight(&mut self, layer: &str, role: &str) -> Result<Value> {
        let target = self.target(layer, role);
        let value = self.b.get(target)?;
        self.trained.push((target, value));
        Ok(value)
    }

    fn target(&self, layer: &str, role: &str) -> Target {
        let fits = |name: &&String| name.split('/').any(|part| part == layer) && name.ends_with(&format!("/{role}"));
        let mut found = self.slots.keys().filter(fits);
        match (found.next(), found.next()) {
            (Some(name), None) => self.slots[name],
            _ => panic!("expected one weight `{role}` of `{layer}`"),
        }
    }

    fn dense(&mut self, x: Value, layer: &str) -> Result<Value> {
        let (kernel, bias) = (self.weight(layer, "kernel")?, self.weight(layer, "bias")?);
        let product = self.b.matmul(x, kernel)?;
        self.b.add(product, bias)
    }

    /// With the statistics of the batch, which the moving ones follow.
    fn batch_norm(&mut self, x: Value, corrects: bool) -> Result<Value> {
        let (gamma, beta) = (self.weight("bn", "gamma")?, self.weight("bn", "beta")?);
        let dims = self.b.dims_of(x);
        let axes: Vec<usize> = (0..dims.len() - 1).collect();
        let (mean, variance) = self.b.moments(x, &axes)?;
        let mut kept = variance;
        if corrects {
            // n / (n - 1)
            let count = self.b.dims().product(&dims[..dims.len() - 1])?;
            let count = self.b.size(count, ElementType::I64)?;
            let count = self.b.cast(count, ElementType::F32)?;
            let less = self.b.binary_scalar(BinaryOp::Sub, count, 1.0)?;
            let factor = self.b.div(count, less)?;
            kept = self.b.mul(variance, factor)?;
        }
        for (role, value) in [("moving_mean", mean), ("moving_variance", kept)] {
            let target = self.target("bn", role);
            let old = self.b.get(target)?;
            let dims = self.b.dims_of(old);
            let value = self.b.reshape(value, &dims)?;
            let distance = self.b.sub(old, value)?;
            let change = self.b.binary_scalar(BinaryOp::Mul, distance, 0.1)?;
            let next = self.b.sub(old, change)?;
            self.b.set(target, next)?;
        }
        let norm = BatchNorm { epsilon: 1e-3, scale: true, center: true };
        self.b.one(norm, &[x, mean, variance, gamma, beta])
    }
}
