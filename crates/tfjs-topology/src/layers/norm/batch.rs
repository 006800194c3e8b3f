//! `BatchNormalization`: `(input - mean) / sqrt(variance + epsilon) * gamma + beta` for each channel.
//!
//! At inference, mean and variance are the moving ones. In training they are those of the batch, and the moving ones
//! are updated with weight `1 - momentum`.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/batch_normalization/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{self, Encoding};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::axes::Axes;
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx, Phase};
use crate::producer::Family;
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::normalize::BatchNorm;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{ElementType, Target, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A batch normalization. Weights: `gamma`, `beta`, `moving_mean`, `moving_variance`, each `[channels]`; with
/// several axes, of the input's rank with 1 for the other axes.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    /// The axes that keep their own statistics: the channels.
    pub axes: Axes,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether there is a `beta`.
    pub center: bool,
    /// Whether there is a `gamma`.
    pub scale: bool,
    /// Whether training uses batch renormalization, which has three more weights.
    pub renorm: bool,
    /// Whether training computes the statistics of parts of the batch.
    pub virtual_batches: bool,
    /// The weight of the previous moving statistics in each training step.
    pub momentum: f64,
    /// Whose statistics it uses.
    pub mode: Mode,
    /// What the producers do differently in training.
    pub rules: TrainingRules,
}

/// Whose statistics a batch normalization uses: `mode` of Keras 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The batch's in training, the moving ones otherwise.
    Moving,
    /// Those of each vector along the last axis; the moving ones are there and unused.
    Vector,
    /// The batch's, always; the moving ones are there and unused.
    Batch,
}

/// What the producers do differently in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingRules {
    /// Keras 2 and 3: a layer that is not trainable uses the moving statistics.
    pub frozen_predicts: bool,
    /// Keras 2: the fused kernel for images and volumes, which updates the moving variance by the unbiased variance of
    /// the batch.
    pub fused: bool,
    /// Keras 3: masked steps are excluded from the statistics.
    pub skips_masked: bool,
}

impl Mode {
    fn read(config: &Config<'_>) -> Result<Self> {
        match config.or("mode", 0i64)? {
            // TensorFlow.js does not know the key.
            _ if config.producer().is_tfjs() => Ok(Mode::Moving),
            0 => Ok(Mode::Moving),
            1 => Ok(Mode::Vector),
            2 => Ok(Mode::Batch),
            other => {
                let message = format!("expected 0, 1 or 2, found {other}");
                Err(Error::malformed(message).at_json("mode").at_json("config"))
            }
        }
    }
}

impl FromConfig for BatchNormalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["BatchNormalization"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["synchronized", "renorm_clipping", "renorm_momentum"]);
        let family = config.producer().family;
        let rules = TrainingRules {
            frozen_predicts: matches!(family, Family::Keras2 | Family::Keras3),
            fused: config.or("fused", true)? && family == Family::Keras2,
            skips_masked: family == Family::Keras3,
        };
        Ok(BatchNormalization {
            axes: config.or("axis", Axes(vec![-1]))?,
            epsilon: config.or("epsilon", 1e-3)?,
            center: config.or("center", true)?,
            scale: config.or("scale", true)?,
            renorm: config.or("renorm", false)?,
            virtual_batches: config.opt::<usize>("virtual_batch_size")?.is_some(),
            momentum: config.or("momentum", 0.99)?,
            mode: Mode::read(config)?,
            rules,
        })
    }
}

impl BatchNormalization {
    /// Declares the weights for an input.
    fn take_weights(&self, cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Weights> {
        let lengths = super::lengths(cx, x, axes)?;
        let shape = match lengths[..] {
            [length] => vec![length],
            _ => {
                let mut shape = vec![1; cx.ty(x).rank()];
                axes.iter().zip(lengths).for_each(|(&axis, length)| shape[axis] = length);
                shape
            }
        };
        let shape = Shape::new(shape)?;
        let decl = |name| WeightDecl::new(name, shape.clone());
        let gamma = self.scale.then(|| cx.weight(decl("gamma").ones())).transpose()?;
        let beta = self.center.then(|| cx.weight(decl("beta"))).transpose()?;
        let mean = cx.weight_slot(decl("moving_mean").frozen())?;
        let variance = cx.weight_slot(decl("moving_variance").frozen().ones())?;
        if self.renorm {
            cx.weight(decl("moving_stddev").frozen().ones())?;
            cx.weight(decl("renorm_mean").frozen())?;
            cx.weight(decl("renorm_stddev").frozen().ones())?;
        }
        Ok(Weights { gamma, beta, mean, variance })
    }

    /// Whether the output uses the statistics of the batch.
    fn uses_batch(&self, cx: &LowerCx<'_>) -> bool {
        match self.mode {
            Mode::Batch => true,
            Mode::Moving => cx.training() && (cx.trainable() || !self.rules.frozen_predicts),
            Mode::Vector => false,
        }
    }

    /// Mean and variance of the batch. In training, the moving ones are updated.
    fn statistics(
        &self,
        cx: &mut LowerCx<'_>,
        x: Value,
        mask: Option<Value>,
        axes: &[usize],
        weights: &Weights,
    ) -> Result<(Value, Value)> {
        let others: Vec<usize> = (0..cx.ty(x).rank()).filter(|axis| !axes.contains(axis)).collect();
        self.check_training(&others)?;
        cx.mixes_batch();
        let (mean, variance) = match mask.filter(|_| self.rules.skips_masked) {
            Some(mask) => masked_moments(cx, x, mask, &others)?,
            None => cx.moments(x, &others)?,
        };
        if cx.phase() == Phase::Train && self.mode == Mode::Moving {
            let population = match self.is_fused(cx.ty(x).rank(), axes) {
                true => of_population(cx, variance, x, &others)?,
                false => variance,
            };
            self.follow(cx, weights.mean, mean)?;
            self.follow(cx, weights.variance, population)?;
        }
        Ok((mean, variance))
    }

    /// Fails for unsupported statistics of the batch; `others` are the axes they are computed over.
    fn check_training(&self, others: &[usize]) -> Result<()> {
        let unsupported = |what| Err(Error::unsupported(format!("training with {what} is not supported")));
        match (self.renorm, self.virtual_batches) {
            (true, _) => unsupported("`renorm`"),
            (_, true) => unsupported("`virtual_batch_size`"),
            _ if others.is_empty() => unsupported("every axis normalized"),
            _ => Ok(()),
        }
    }

    /// Whether TensorFlow 2 uses its fused kernel.
    fn is_fused(&self, rank: usize, axes: &[usize]) -> bool {
        let channels = [1, rank.saturating_sub(1)];
        self.rules.fused && matches!(rank, 4 | 5) && matches!(axes, [axis] if channels.contains(axis))
    }

    /// Updates a moving statistic by that of the batch.
    fn follow(&self, cx: &mut LowerCx<'_>, (target, moving): (Target, Value), batch: Value) -> Result<()> {
        let dims = cx.dims_of(moving);
        let batch = cx.reshape(batch, &dims)?;
        let stays = cx.binary_scalar(BinaryOp::Mul, moving, self.momentum)?;
        let comes = cx.binary_scalar(BinaryOp::Mul, batch, 1.0 - self.momentum)?;
        let next = cx.add(stays, comes)?;
        cx.set(target, next)
    }
}

impl BatchNormalization {
    /// Each vector along the last axis with a mean of 0 and a deviation of about 1: Keras 1 adds `epsilon` to the variance
    /// and to the deviation.
    fn of_vectors(&self, cx: &mut LowerCx<'_>, x: Value, weights: &Weights) -> Result<Value> {
        let last = cx.ty(x).rank().saturating_sub(1);
        let (mean, variance) = cx.moments(x, &[last])?;
        let epsilon = f64::from(self.epsilon);
        let variance = cx.binary_scalar(BinaryOp::Add, variance, epsilon)?;
        let deviation = cx.unary(UnaryOp::Sqrt, variance)?;
        let deviation = cx.binary_scalar(BinaryOp::Add, deviation, epsilon)?;
        let x = cx.sub(x, mean)?;
        let mut x = cx.div(x, deviation)?;
        // Along the last axis too, whichever axis they have the length of.
        if let Some(gamma) = weights.gamma {
            x = cx.mul(x, gamma)?;
        }
        if let Some(beta) = weights.beta {
            x = cx.add(x, beta)?;
        }
        Ok(x)
    }
}

/// The weights, the moving statistics with their slots.
struct Weights {
    gamma: Option<Value>,
    beta: Option<Value>,
    mean: (Target, Value),
    variance: (Target, Value),
}

/// Mean and variance of the unmasked steps. Keras 3's fuzz factor prevents a division by 0.
fn masked_moments(cx: &mut LowerCx<'_>, x: Value, mask: Value, others: &[usize]) -> Result<(Value, Value)> {
    const FUZZ: f64 = 1e-7;
    if cx.ty(mask).rank() + 1 != cx.ty(x).rank() {
        return Err(masks::misfit(cx, mask, x));
    }
    let mask = masks::over_first_axes(cx, mask, x)?;
    let ones = cx.cast_like(mask, x)?;
    let dims = cx.dims_of(x);
    let weights = cx.broadcast_to(ones, &dims)?;
    let count = cx.reduce(ReduceOp::Sum, weights, others, true)?;
    let count = cx.binary_scalar(BinaryOp::Add, count, FUZZ)?;
    let mean_of = |cx: &mut LowerCx<'_>, values: Value| {
        let counted = cx.mul(weights, values)?;
        let sum = cx.reduce(ReduceOp::Sum, counted, others, true)?;
        cx.div(sum, count)
    };
    let mean = mean_of(cx, x)?;
    let difference = cx.sub(x, mean)?;
    let square = cx.mul(difference, difference)?;
    Ok((mean, mean_of(cx, square)?))
}

/// The unbiased variance, where `variance` is that of `n` elements: `variance * n / (n - 1)`.
fn of_population(cx: &mut LowerCx<'_>, variance: Value, x: Value, others: &[usize]) -> Result<Value> {
    let counted: Vec<_> = others.iter().map(|&axis| cx.ty(x).dims[axis]).collect();
    let n = cx.dims().product(&counted)?;
    let n = cx.size(n, ElementType::I64)?;
    let n = cx.cast_like(n, x)?;
    let less = cx.binary_scalar(BinaryOp::Sub, n, 1.0)?;
    let less = cx.binary_scalar(BinaryOp::Max, less, 1.0)?;
    let factor = cx.div(n, less)?;
    cx.mul(variance, factor)
}

impl LayerDef for BatchNormalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let axes = self.axes.of(cx, input.value)?;
        let weights = self.take_weights(cx, input.value, &axes)?;
        let x = cx.to_float(input.value)?;
        if self.mode == Mode::Vector {
            let out = self.of_vectors(cx, x, &weights)?;
            return Ok(vec![KerasTensor::from(out).with_mask(input.mask)]);
        }
        let (mean, variance) = match self.uses_batch(cx) {
            true => self.statistics(cx, x, input.mask, &axes, &weights)?,
            false => (weights.mean.1, weights.variance.1),
        };
        let mut operands = vec![mean, variance];
        operands.extend(weights.gamma.into_iter().chain(weights.beta));
        // Statistics of the batch, and weights for several axes, already have the rank of the input.
        for operand in &mut operands {
            if cx.ty(*operand).rank() == 1 {
                *operand = super::spread(cx, *operand, x, &axes)?;
            }
        }
        operands.insert(0, x);
        let (scale, center) = (self.scale, self.center);
        let out = cx.one(BatchNorm { epsilon: self.epsilon.into(), scale, center }, &operands)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: encode::Target, out: &mut Encoding<'_>) -> Result<()> {
        let encode::Target::TensorFlowJs = target;
        out.set("axis", self.axes.encode());
        out.remove("mode");
        if self.mode != Mode::Moving {
            out.warn("TensorFlow.js normalizes by the moving statistics, whatever `mode` says");
        }
        if !self.axes.is_last(out.rank()) {
            out.warn("TensorFlow.js normalizes other axes than the last wrongly");
        }
        super::warn_of_rank(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::testing::{
        check_infer, check_program, check_refused, check_refused_in, check_trained, check_weights, train,
    };
    use expect_test::expect;
    use serde_json::json;
    use tfjs_ir::{Array, Data, ElementType};

    #[test]
    fn infers() {
        check_infer("BatchNormalization", json!({"axis": [3]}), &["?,?,9,3"], &["?,?,9,3"]);
        let all = ["gamma[3]", "beta[3]", "moving_mean[3]", "moving_variance[3]"];
        check_weights("BatchNormalization", json!({}), &["?,?,9,3"], &all);
        check_weights("BatchNormalization", json!({"axis": 1.0}), &["?,3,9,?"], &all);
        let config = json!({"axis": [1, -1], "scale": false});
        let several = ["beta[1,3,1,4]", "moving_mean[1,3,1,4]", "moving_variance[1,3,1,4]"];
        check_weights("BatchNormalization", config, &["?,3,9,4"], &several);
    }

    #[test]
    fn refuses() {
        let message = "`axis` 3 does not exist in shape [?,3]";
        check_refused("BatchNormalization", json!({"axis": [3]}), &["?,3"], message);
        let message = "the normalized axis must be known, found shape [?,?]";
        check_refused("BatchNormalization", json!({}), &["?,?"], message);
        let message = "`config.axis`: expected a whole number, found `\"last\"`";
        check_refused("BatchNormalization", json!({"axis": "last"}), &[], message);
    }

    #[test]
    fn moving_statistics_at_inference() {
        check_program(
            "BatchNormalization",
            json!({}),
            &["?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,3]
                input "x1.mask": bool[batch,3]
                slot slot0 "/gamma": f32[3]
                slot slot1 "/beta": f32[3]
                slot slot2 "/moving_mean": f32[3]
                slot slot3 "/moving_variance": f32[3]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = input() {port=1} : bool[batch,3]
                  %2 = param() {slot=slot0} : f32[3]
                  %3 = param() {slot=slot1} : f32[3]
                  %4 = param() {slot=slot2} : f32[3]
                  %5 = param() {slot=slot3} : f32[3]
                  %6 = batch_norm(%0, %4, %5, %2, %3) {epsilon=0.0010000000474974513, scale=true, center=true} : f32[batch,3]
                  return %6 "y1", %1 "y1.mask"
                }
            "#]],
        );
        check_program(
            "BatchNormalization",
            json!({"axis": 1, "scale": false}),
            &["?,3,?,?"],
            expect![[r#"
                input "x1": f32[batch,3,x1.2,x1.3]
                slot slot0 "/beta": f32[3]
                slot slot1 "/moving_mean": f32[3]
                slot slot2 "/moving_variance": f32[3]
                {
                  %0 = input() {port=0} : f32[batch,3,x1.2,x1.3]
                  %1 = param() {slot=slot0} : f32[3]
                  %2 = param() {slot=slot1} : f32[3]
                  %3 = param() {slot=slot2} : f32[3]
                  %4 = reshape(%2) {dims=[3,1,1]} : f32[3,1,1]
                  %5 = reshape(%3) {dims=[3,1,1]} : f32[3,1,1]
                  %6 = reshape(%1) {dims=[3,1,1]} : f32[3,1,1]
                  %7 = batch_norm(%0, %4, %5, %6) {epsilon=0.0010000000474974513, scale=false, center=true} : f32[batch,3,x1.2,x1.3]
                  return %7 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn statistics_of_the_batch_in_training() {
        check_trained(
            Family::Keras3,
            "BatchNormalization",
            json!({"momentum": 0.5}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                slot slot0 "/gamma": f32[3]
                slot slot1 "/beta": f32[3]
                slot slot2 "/moving_mean": f32[3]
                slot slot3 "/moving_variance": f32[3]
                const const0: f32[] = [0.5]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = param() {slot=slot0} : f32[3]
                  %2 = param() {slot=slot1} : f32[3]
                  %3 = param() {slot=slot2} : f32[3]
                  %4 = param() {slot=slot3} : f32[3]
                  %5, %6 = moments(%0) {axes=[0]} : f32[1,3]; f32[1,3]
                  %7 = reshape(%5) {dims=[3]} : f32[3]
                  %8 = const() {constant=const0} : f32[]
                  %9 = binary(%3, %8) {op=mul} : f32[3]
                  %10 = binary(%7, %8) {op=mul} : f32[3]
                  %11 = binary(%9, %10) {op=add} : f32[3]
                  %12 = reshape(%6) {dims=[3]} : f32[3]
                  %13 = binary(%4, %8) {op=mul} : f32[3]
                  %14 = binary(%12, %8) {op=mul} : f32[3]
                  %15 = binary(%13, %14) {op=add} : f32[3]
                  %16 = batch_norm(%0, %5, %6, %1, %2) {epsilon=0.0010000000474974513, scale=true, center=true} : f32[batch,3]
                  return %16 "y1"
                }
                update slot2 = %11
                update slot3 = %15
            "#]],
        );
        check_trained(
            Family::Keras2,
            "BatchNormalization",
            json!({"center": false}),
            &["?,2,2,3"],
            expect![[r#"
                input "x1": f32[batch,2,2,3]
                slot slot0 "/gamma": f32[3]
                slot slot1 "/moving_mean": f32[3]
                slot slot2 "/moving_variance": f32[3]
                const const0: f32[] = [1.0]
                const const1: f32[] = [0.9900000095367432]
                const const2: f32[] = [0.009999999776482582]
                {
                  %0 = input() {port=0} : f32[batch,2,2,3]
                  %1 = param() {slot=slot0} : f32[3]
                  %2 = param() {slot=slot1} : f32[3]
                  %3 = param() {slot=slot2} : f32[3]
                  %4, %5 = moments(%0) {axes=[0,1,2]} : f32[1,1,1,3]; f32[1,1,1,3]
                  %6 = sizes() {sizes=[4*batch], scalar=true, element=i64} : i64[]
                  %7 = cast(%6) {to=f32} : f32[]
                  %8 = const() {constant=const0} : f32[]
                  %9 = binary(%7, %8) {op=sub} : f32[]
                  %10 = binary(%9, %8) {op=max} : f32[]
                  %11 = binary(%7, %10) {op=div} : f32[]
                  %12 = binary(%5, %11) {op=mul} : f32[1,1,1,3]
                  %13 = reshape(%4) {dims=[3]} : f32[3]
                  %14 = const() {constant=const1} : f32[]
                  %15 = binary(%2, %14) {op=mul} : f32[3]
                  %16 = const() {constant=const2} : f32[]
                  %17 = binary(%13, %16) {op=mul} : f32[3]
                  %18 = binary(%15, %17) {op=add} : f32[3]
                  %19 = reshape(%12) {dims=[3]} : f32[3]
                  %20 = binary(%3, %14) {op=mul} : f32[3]
                  %21 = binary(%19, %16) {op=mul} : f32[3]
                  %22 = binary(%20, %21) {op=add} : f32[3]
                  %23 = batch_norm(%0, %4, %5, %1) {epsilon=0.0010000000474974513, scale=true, center=false} : f32[batch,2,2,3]
                  return %23 "y1"
                }
                update slot1 = %18
                update slot2 = %22
            "#]],
        );
        check_trained(
            Family::Keras3,
            "BatchNormalization",
            json!({"scale": false}),
            &["?,5,3 masked"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                slot slot0 "/beta": f32[3]
                slot slot1 "/moving_mean": f32[3]
                slot slot2 "/moving_variance": f32[3]
                const const0: f32[] = [1.0000000116860974e-7]
                const const1: f32[] = [0.9900000095367432]
                const const2: f32[] = [0.009999999776482582]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = param() {slot=slot0} : f32[3]
                  %3 = param() {slot=slot1} : f32[3]
                  %4 = param() {slot=slot2} : f32[3]
                  %5 = reshape(%1) {dims=[batch,5,1]} : bool[batch,5,1]
                  %6 = cast(%5) {to=f32} : f32[batch,5,1]
                  %7 = broadcast(%6) {dims=[batch,5,3], axes=[0,1,2]} : f32[batch,5,3]
                  %8 = reduce(%7) {op=sum, axes=[0,1], keep=true} : f32[1,1,3]
                  %9 = const() {constant=const0} : f32[]
                  %10 = binary(%8, %9) {op=add} : f32[1,1,3]
                  %11 = binary(%7, %0) {op=mul} : f32[batch,5,3]
                  %12 = reduce(%11) {op=sum, axes=[0,1], keep=true} : f32[1,1,3]
                  %13 = binary(%12, %10) {op=div} : f32[1,1,3]
                  %14 = binary(%0, %13) {op=sub} : f32[batch,5,3]
                  %15 = binary(%14, %14) {op=mul} : f32[batch,5,3]
                  %16 = binary(%7, %15) {op=mul} : f32[batch,5,3]
                  %17 = reduce(%16) {op=sum, axes=[0,1], keep=true} : f32[1,1,3]
                  %18 = binary(%17, %10) {op=div} : f32[1,1,3]
                  %19 = reshape(%13) {dims=[3]} : f32[3]
                  %20 = const() {constant=const1} : f32[]
                  %21 = binary(%3, %20) {op=mul} : f32[3]
                  %22 = const() {constant=const2} : f32[]
                  %23 = binary(%19, %22) {op=mul} : f32[3]
                  %24 = binary(%21, %23) {op=add} : f32[3]
                  %25 = reshape(%18) {dims=[3]} : f32[3]
                  %26 = binary(%4, %20) {op=mul} : f32[3]
                  %27 = binary(%25, %22) {op=mul} : f32[3]
                  %28 = binary(%26, %27) {op=add} : f32[3]
                  %29 = batch_norm(%0, %13, %18, %2) {epsilon=0.0010000000474974513, scale=false, center=true} : f32[batch,5,3]
                  return %29 "y1", %1 "y1.mask"
                }
                update slot1 = %24
                update slot2 = %28
            "#]],
        );
    }

    #[test]
    fn a_frozen_layer() {
        let frozen = json!({"trainable": false, "scale": false, "center": false});
        check_trained(
            Family::Keras2,
            "BatchNormalization",
            frozen.clone(),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                slot slot0 "/moving_mean": f32[3]
                slot slot1 "/moving_variance": f32[3]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = param() {slot=slot0} : f32[3]
                  %2 = param() {slot=slot1} : f32[3]
                  %3 = batch_norm(%0, %1, %2) {epsilon=0.0010000000474974513, scale=false, center=false} : f32[batch,3]
                  return %3 "y1"
                }
            "#]],
        );
        check_trained(
            Family::TensorFlowJs,
            "BatchNormalization",
            frozen,
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                slot slot0 "/moving_mean": f32[3]
                slot slot1 "/moving_variance": f32[3]
                const const0: f32[] = [0.9900000095367432]
                const const1: f32[] = [0.009999999776482582]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = param() {slot=slot0} : f32[3]
                  %2 = param() {slot=slot1} : f32[3]
                  %3, %4 = moments(%0) {axes=[0]} : f32[1,3]; f32[1,3]
                  %5 = reshape(%3) {dims=[3]} : f32[3]
                  %6 = const() {constant=const0} : f32[]
                  %7 = binary(%1, %6) {op=mul} : f32[3]
                  %8 = const() {constant=const1} : f32[]
                  %9 = binary(%5, %8) {op=mul} : f32[3]
                  %10 = binary(%7, %9) {op=add} : f32[3]
                  %11 = reshape(%4) {dims=[3]} : f32[3]
                  %12 = binary(%2, %6) {op=mul} : f32[3]
                  %13 = binary(%11, %8) {op=mul} : f32[3]
                  %14 = binary(%12, %13) {op=add} : f32[3]
                  %15 = batch_norm(%0, %3, %4) {epsilon=0.0010000000474974513, scale=false, center=false} : f32[batch,3]
                  return %15 "y1"
                }
                update slot0 = %10
                update slot1 = %14
            "#]],
        );
    }

    #[test]
    fn what_training_does_not_know() {
        let message = "training with `renorm` is not supported";
        check_refused_in(Phase::Train, "BatchNormalization", json!({"renorm": true}), &["?,3"], message);
        let virtual_batches = json!({"virtual_batch_size": 8});
        let message = "training with `virtual_batch_size` is not supported";
        check_refused_in(Phase::Train, "BatchNormalization", virtual_batches, &["?,3"], message);
    }

    /// Checks the moving statistics after a step from mean 1 and variance 1 with momentum 0.5.
    #[track_caller]
    fn check_step(family: Family, input: &str, arguments: Vec<Array>, mean: f64, variance: f64) {
        let config = json!({"momentum": 0.5, "center": false, "scale": false});
        let ones = vec![Array::floats([1], [1.0]).unwrap(); 2];
        let outcome = train(family, ("BatchNormalization", config), &[input], arguments, ones);
        let found: Vec<f64> = outcome.updates.iter().map(|(_, value)| value.to_floats().unwrap()[0]).collect();
        assert!((found[0] - mean).abs() < 1e-6 && (found[1] - variance).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn moving_statistics_go_half_of_the_way() {
        // Mean 3 and variance 3.5; unbiased 14/3.
        let numbers = |dims: &[usize]| Array::floats(dims, [1.0, 2.0, 3.0, 6.0]).unwrap();
        check_step(Family::Keras3, "?,1", vec![numbers(&[4, 1])], 2.0, 2.25);
        check_step(Family::Keras2, "?,1", vec![numbers(&[4, 1])], 2.0, 2.25);
        check_step(Family::Keras2, "?,?,1,1", vec![numbers(&[2, 2, 1, 1])], 2.0, 0.5 + 7.0 / 3.0);
        check_step(Family::Keras3, "?,?,1,1", vec![numbers(&[2, 2, 1, 1])], 2.0, 2.25);
        // Without the last step mean 2 and variance 2/3.
        let mask = Array::new(ElementType::Bool, [1, 4], Data::Bool(vec![true, true, true, false])).unwrap();
        let masked = vec![numbers(&[1, 4, 1]), mask];
        check_step(Family::Keras3, "?,?,1 masked", masked.clone(), 1.5, 0.5 + 1.0 / 3.0);
        check_step(Family::TensorFlowJs, "?,?,1 masked", masked, 2.0, 2.25);
    }
}
