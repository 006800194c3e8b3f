//! `GroupNormalization`: `(input - mean) / sqrt(variance + epsilon) * gamma + beta`, with the mean and variance of each
//! entry's groups of channels; `InstanceNormalization` of TensorFlow Addons, whose groups are the channels.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/group_normalization/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::masks::{self, MaskRule};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::normalize::{Norm, Normalize};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A group normalization. Weights: `gamma`, `beta`, each `[channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupNormalization {
    /// The number of groups; `None` for one group per channel.
    pub groups: Option<usize>,
    /// The axis of the channels.
    pub axis: i64,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether there is a `beta`.
    pub center: bool,
    /// Whether there is a `gamma`.
    pub scale: bool,
    /// Whether masked entries are excluded from the statistics: Keras 2.
    pub weighs_mask: bool,
}

impl FromConfig for GroupNormalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let groups = match config.or("groups", 32i64)? {
            // TensorFlow Addons writes the number of groups that it found when the layer was built.
            _ if class == "Addons>InstanceNormalization" => None,
            -1 => None,
            groups => match usize::try_from(groups) {
                Ok(groups) if groups > 0 => Some(groups),
                _ => {
                    let message = format!("expected -1 or at least 1, found {groups}");
                    return Err(Error::malformed(message).at_json("groups").at_json("config"));
                }
            },
        };
        Ok(GroupNormalization {
            groups,
            axis: config.or("axis", -1)?,
            epsilon: config.or("epsilon", 1e-3)?,
            center: config.or("center", true)?,
            scale: config.or("scale", true)?,
            weighs_mask: !config.producer().is_keras3() && class == "GroupNormalization",
        })
    }
}

impl GroupNormalization {
    /// The axis of the channels, their number, and the number of groups.
    fn channels(&self, cx: &LowerCx<'_>, x: Value) -> Result<(usize, usize, usize)> {
        let axis = cx.axis(self.axis, x)?;
        if axis == 0 {
            return Err(Error::malformed("expected an `axis` of channels, found that of the batch"));
        }
        let channels = cx.known(cx.ty(x).dims[axis], "the axis of the channels", x)?;
        let groups = self.groups.unwrap_or(channels);
        if groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected channels that fill {groups} groups, found shape {shape}")));
        }
        Ok((axis, channels, groups))
    }
}

impl GroupNormalization {
    /// Normalized by the statistics of what a mask leaves. Reference: `tf.nn.weighted_moments`.
    fn weighted(&self, cx: &mut LowerCx<'_>, operands: &[Value], mask: Value, axes: &[usize]) -> Result<Value> {
        let [x, weights @ ..] = operands else { return Err(Error::bug("a normalization of nothing")) };
        let counted = cx.cast_like(mask, *x)?;
        let count = cx.reduce(ReduceOp::Sum, counted, axes, true)?;
        let mean_of = |cx: &mut LowerCx<'_>, values: Value| {
            let values = cx.mul(counted, values)?;
            let sum = cx.reduce(ReduceOp::Sum, values, axes, true)?;
            cx.div(sum, count)
        };
        let mean = mean_of(cx, *x)?;
        let distance = cx.sub(*x, mean)?;
        let square = cx.mul(distance, distance)?;
        let variance = mean_of(cx, square)?;
        let variance = cx.binary_scalar(BinaryOp::Add, variance, self.epsilon.into())?;
        let scale = cx.unary(UnaryOp::Rsqrt, variance)?;
        let mut out = cx.mul(distance, scale)?;
        let mut weights = weights.iter();
        if self.scale
            && let Some(&gamma) = weights.next()
        {
            out = cx.mul(out, gamma)?;
        }
        match weights.next() {
            Some(&beta) => cx.add(out, beta),
            None => Ok(out),
        }
    }
}

impl LayerDef for GroupNormalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let (axis, channels, groups) = self.channels(cx, input.value)?;
        let shape = Shape::new([channels])?;
        let mut operands = Vec::new();
        if self.scale {
            operands.push(cx.weight(WeightDecl::new("gamma", shape.clone()).ones())?);
        }
        if self.center {
            operands.push(cx.weight(WeightDecl::new("beta", shape))?);
        }
        let dims = cx.dims_of(input.value);
        let block = [cx.number(groups), cx.number(channels / groups)];
        let mut over = block.to_vec();
        over.resize(dims.len() - axis + 1, Dim::ONE);
        for weight in &mut operands {
            *weight = cx.reshape(*weight, &over)?;
        }
        let x = cx.to_float(input.value)?;
        let mut apart = dims.clone();
        apart.splice(axis..=axis, block);
        operands.insert(0, cx.reshape(x, &apart)?);
        let axes: Vec<usize> = (1..apart.len()).filter(|&other| other != axis).collect();
        let out = match input.mask.filter(|_| self.weighs_mask) {
            Some(mask) => {
                if cx.ty(mask).rank() > dims.len() {
                    return Err(masks::misfit(cx, mask, input.value));
                }
                // A mask of steps fits where it broadcasts from the last axis on, as Keras 2 has it.
                let mask = cx.broadcast_to(mask, &dims)?;
                let mask = cx.reshape(mask, &apart)?;
                self.weighted(cx, &operands, mask, &axes)?
            }
            None => {
                let (scale, center) = (self.scale, self.center);
                cx.one(Normalize { norm: Norm::Layer, axes, epsilon: self.epsilon.into(), scale, center }, &operands)?
            }
        };
        let out = cx.reshape(out, &dims)?;
        let mask = masks::combined(cx, MaskRule::Pass, &[input])?;
        Ok(vec![KerasTensor::from(out).with_mask(mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_program, check_program_of, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("GroupNormalization", json!({"groups": 2.0}), &["?,?,9,4"], &["?,?,9,4"]);
        check_weights("GroupNormalization", json!({"groups": 2}), &["?,?,9,4"], &["gamma[4]", "beta[4]"]);
        let config = json!({"groups": -1, "axis": 1, "center": false});
        check_weights("GroupNormalization", config, &["?,3,?"], &["gamma[3]"]);
        let built = json!({"groups": 2, "scale": false});
        check_weights("Addons>InstanceNormalization", built, &["?,?,3"], &["beta[3]"]);
    }

    #[test]
    fn refuses() {
        let class = "GroupNormalization";
        let message = "expected channels that fill 32 groups, found shape [?,9,4]";
        check_refused(class, json!({}), &["?,9,4"], message);
        let message = "the axis of the channels must be known, found shape [?,4,?]";
        check_refused(class, json!({"groups": 2}), &["?,4,?"], message);
        let message = "`config.groups`: expected -1 or at least 1, found 0";
        check_refused(class, json!({"groups": 0}), &[], message);
        let message = "expected an `axis` of channels, found that of the batch";
        check_refused(class, json!({"groups": 1, "axis": 0}), &["4,4"], message);
    }

    #[test]
    fn groups_are_axes_of_their_own() {
        let config = json!({"groups": 2, "axis": 1});
        check_program(
            "GroupNormalization",
            config,
            &["?,4,?"],
            expect![[r#"
            input "x1": f32[batch,4,x1.2]
            slot slot0 "/gamma": f32[4]
            slot slot1 "/beta": f32[4]
            {
              %0 = input() {port=0} : f32[batch,4,x1.2]
              %1 = param() {slot=slot0} : f32[4]
              %2 = param() {slot=slot1} : f32[4]
              %3 = reshape(%1) {dims=[2,2,1]} : f32[2,2,1]
              %4 = reshape(%2) {dims=[2,2,1]} : f32[2,2,1]
              %5 = reshape(%0) {dims=[batch,2,2,x1.2]} : f32[batch,2,2,x1.2]
              %6 = normalize(%5, %3, %4) {norm=layer, axes=[2,3], epsilon=0.0010000000474974513, scale=true, center=true} : f32[batch,2,2,x1.2]
              %7 = reshape(%6) {dims=[batch,4,x1.2]} : f32[batch,4,x1.2]
              return %7 "y1"
            }
        "#]],
        );
        let config = json!({"scale": false, "center": false});
        check_program_of(
            Family::Keras3,
            "Addons>InstanceNormalization",
            config,
            &["?,?,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            input "x1.mask": bool[batch,x1.1]
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = reshape(%0) {dims=[batch,x1.1,3,1]} : f32[batch,x1.1,3,1]
              %3 = normalize(%2) {norm=layer, axes=[1,3], epsilon=0.0010000000474974513, scale=false, center=false} : f32[batch,x1.1,3,1]
              %4 = reshape(%3) {dims=[batch,x1.1,3]} : f32[batch,x1.1,3]
              return %4 "y1", %1 "y1.mask"
            }
        "#]],
        );
    }
}
