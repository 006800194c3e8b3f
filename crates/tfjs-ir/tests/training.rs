//! Ten training steps against the weights that Keras 2, Keras 3 and TensorFlow.js arrive at.
//!
//! The networks, their losses and the descent are built by hand here: forward, gradients and updates are one program.
//! `tests/goldens/training` has the numbers and how they were made.

use serde_json::Value as Json;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use tfjs_ir::grad::gradients;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::normalize::BatchNorm;
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::Window;
use tfjs_ir::{Array, Builder, Dim, ElementType, Inputs, Program, Target, Type, Value, interpret};
use tfjs_manifest::Result;

const STEPS: usize = 10;

#[test]
fn a_convolution_with_batch_normalization_and_max_pooling() {
    for producer in ["keras2", "keras3", "tfjs"] {
        // The fused kernel of Keras 2 corrects the variance that it keeps, not the one it divides by.
        let corrects = producer == "keras2";
        check("conv_bn", producer, [6, 6, 1].as_slice(), 3, |net| net.conv_bn(corrects));
    }
}

#[test]
fn an_embedding_and_a_masked_lstm() {
    for producer in ["keras2", "keras3", "tfjs"] {
        check("masked_lstm", producer, &[5], 1, Network::masked_lstm);
    }
}

#[test]
fn dense_layers_with_batch_normalization() {
    for producer in ["keras2", "keras3", "tfjs"] {
        check("dense_bn", producer, &[3], 2, Network::dense_bn);
    }
}

/// Trains from the producer's first weights with its batches, and compares losses and weights.
fn check(network: &str, producer: &str, x: &[usize], outputs: usize, build: impl Fn(&mut Network) -> Result<Value>) {
    let folder: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../tests/goldens/training", network, producer].iter().collect();
    let about: Json = serde_json::from_str(&fs::read_to_string(folder.join("training.json")).unwrap()).unwrap();
    let first = first_weights(&folder);
    let step = training_step(&first, x, outputs, build).unwrap();

    let batches = safetensors(&folder.join("batches.safetensors"));
    let mut weights: Vec<Array> = step.slots.iter().map(|slot| first[&slot.name].clone()).collect();
    let rate = Array::scalar(ElementType::F32, about["learning_rate"].as_f64().unwrap());
    for i in 0..STEPS {
        let (x, y) = (batches[&format!("x{}", i % 2)].clone(), batches[&format!("y{}", i % 2)].clone());
        let call = Inputs { arguments: vec![x, y, rate.clone()], slots: weights.clone(), ..Inputs::default() };
        let outcome = interpret(&step, &call).unwrap();
        let (expected, loss) = (about["losses"][i].as_f64().unwrap(), outcome.outputs[0].to_floats().unwrap()[0]);
        assert!(
            (expected - loss).abs() < 2e-6,
            "{network}, {producer}, step {i}: expected loss {expected}, found {loss}"
        );
        for (target, value) in outcome.updates {
            let Target::Slot(slot) = target else { panic!("a network without states") };
            weights[slot.index()] = value;
        }
        if i == 0 || i + 1 == STEPS {
            let expected = safetensors(&folder.join(format!("step_{}.safetensors", i + 1)));
            assert_eq!(expected.len(), weights.len());
            for (slot, found) in step.slots.iter().zip(&weights) {
                let (expected, found) = (expected[&slot.name].to_floats().unwrap(), found.to_floats().unwrap());
                let differs = expected.iter().zip(&found).any(|(a, b)| (a - b).abs() > 2e-6);
                let (name, step) = (&slot.name, i + 1);
                assert!(
                    !differs,
                    "{network}, {producer}, step {step}, `{name}`: expected {expected:?}, found {found:?}"
                );
            }
        }
    }
}

/// One step of descent: inputs x, y and the rate; the output is the loss.
fn training_step(
    weights: &HashMap<String, Array>,
    x: &[usize],
    outputs: usize,
    build: impl Fn(&mut Network) -> Result<Value>,
) -> Result<Program> {
    let mut b = Builder::default();
    let batch = b.dims().symbol("batch");
    let mut dims = vec![batch];
    dims.extend(x.iter().map(|&n| b.number(n)));
    let y_dims = [batch, b.number(outputs)];
    let x = b.input("x", Type::new(ElementType::F32, dims))?;
    let y = b.input("y", Type::new(ElementType::F32, y_dims))?;
    let rate = b.input("rate", Type::scalar(ElementType::F32))?;
    let mut slots = HashMap::new();
    let mut names: Vec<&String> = weights.keys().collect();
    names.sort();
    for name in names {
        let dims: Vec<Dim> = weights[name].dims().iter().map(|&n| b.number(n)).collect();
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
    let program = b.finish(vec![("loss".to_string(), loss)])?;
    tfjs_ir::verify::verify(&program)?;
    let text = program.to_string();
    assert_eq!(text.parse::<Program>()?.to_string(), text);
    Ok(program)
}

struct Network {
    b: Builder,
    batch: Dim,
    x: Value,
    y: Value,
    /// The weights by name.
    slots: HashMap<String, Target>,
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

/// The weights of a model's manifest, all of 32-bit floating point and in one file.
fn first_weights(folder: &Path) -> HashMap<String, Array> {
    let model: Json = serde_json::from_str(&fs::read_to_string(folder.join("model.json")).unwrap()).unwrap();
    let group = &model["weightsManifest"][0];
    let bytes = fs::read(folder.join(group["paths"][0].as_str().unwrap())).unwrap();
    let mut rest = &bytes[..];
    let mut weights = HashMap::new();
    for weight in group["weights"].as_array().unwrap() {
        let dims = lengths(&weight["shape"]);
        let (own, others) = rest.split_at(4 * dims.iter().product::<usize>());
        rest = others;
        weights.insert(weight["name"].as_str().unwrap().to_string(), floats(dims, own));
    }
    assert!(rest.is_empty());
    weights
}

/// The tensors of a file, all of 32-bit floating point.
fn safetensors(path: &Path) -> HashMap<String, Array> {
    let bytes = fs::read(path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: Json = serde_json::from_slice(header).unwrap();
    let tensors = header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__");
    let tensor = |(name, about): (&String, &Json)| {
        assert_eq!(about["dtype"], "F32");
        let range = lengths(&about["data_offsets"]);
        (name.clone(), floats(lengths(&about["shape"]), &data[range[0]..range[1]]))
    };
    tensors.map(tensor).collect()
}

fn lengths(json: &Json) -> Vec<usize> {
    json.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn floats(dims: Vec<usize>, bytes: &[u8]) -> Array {
    let values = bytes.as_chunks::<4>().0.iter().map(|four| f64::from(f32::from_le_bytes(*four)));
    Array::floats(dims, values).unwrap()
}
