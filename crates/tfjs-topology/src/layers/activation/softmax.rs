//! `Softmax`: `exp(x) / sum(exp(x))` over one or several axes; masked elements get a very negative number first.
//!
//! Reference: <https://keras.io/api/layers/activation_layers/softmax/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::axes::Axes;
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::{Error, Result};

/// The value of masked elements before the softmax, in every producer.
const MASKED: f64 = -1e9;

/// The value that Keras 3's `dot_product_attention` uses instead, in single precision.
const LOWEST: f64 = -0.7 * 3.38953e38;

/// A softmax. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// The axes over which the outputs sum to 1.
    pub axes: Axes,
    /// How masked elements are treated.
    pub masked: MaskedSoftmax,
}

/// How masked elements are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskedSoftmax {
    /// `-1e9` is added before: a fully masked row keeps its softmax. Also Keras 3 before 3.13.
    Added,
    /// They are replaced by `-1e9` before and by 0 after: Keras 3.
    Replaced,
    /// They are replaced by the lowest number before: a fully masked row becomes uniform. Keras 3's attention.
    Filled,
}

impl FromConfig for Softmax {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Softmax"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let producer = config.producer();
        let default = if producer.is_tfjs() { 1 } else { -1 };
        let replaced = producer.is_keras3() && !producer.is_before(3, 13);
        let masked = if replaced { MaskedSoftmax::Replaced } else { MaskedSoftmax::Added };
        Ok(Softmax { axes: config.or("axis", Axes(vec![default]))?, masked })
    }
}

/// The softmax of unmasked elements. The mask is aligned with the last axis of the input.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for a mask that does not broadcast to the input.
pub(crate) fn masked(
    cx: &mut LowerCx<'_>,
    x: Value,
    mask: Value,
    axes: &[usize],
    masked: MaskedSoftmax,
) -> Result<Value> {
    masks::check_broadcasts(cx, mask, x)?;
    match masked {
        MaskedSoftmax::Added => {
            let (zero, low) = (cx.scalar_like(x, 0.0)?, cx.scalar_like(x, MASKED)?);
            let penalty = cx.select(mask, zero, low)?;
            let x = cx.add(x, penalty)?;
            cx.softmax(x, axes)
        }
        MaskedSoftmax::Replaced => {
            let (zero, low) = (cx.scalar_like(x, 0.0)?, cx.scalar_like(x, MASKED)?);
            let x = cx.select(mask, x, low)?;
            let out = cx.softmax(x, axes)?;
            cx.select(mask, out, zero)
        }
        MaskedSoftmax::Filled => {
            let low = cx.scalar_like(x, LOWEST)?;
            let x = cx.select(mask, x, low)?;
            cx.softmax(x, axes)
        }
    }
}

/// `x - 1e9 (1 - mask)`, for a numeric mask.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn penalized(cx: &mut LowerCx<'_>, x: Value, mask: Value) -> Result<Value> {
    let mask = cx.cast_like(mask, x)?;
    let one = cx.scalar_like(x, 1.0)?;
    let left_out = cx.sub(one, mask)?;
    let penalty = cx.binary_scalar(BinaryOp::Mul, left_out, MASKED)?;
    cx.add(x, penalty)
}

/// Fails for a softmax over an empty axis; an axis that may be empty is guarded.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed).
pub(crate) fn check_axes(cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<()> {
    let dims = cx.dims_of(x);
    if axes.iter().all(|&axis| cx.at_least(dims[axis], tfjs_ir::Dim::ONE)) {
        return Ok(());
    }
    let shape = cx.shape(x);
    Err(Error::malformed(format!("a softmax over an empty axis, found shape {shape}")))
}

impl Softmax {
    /// The softmax of a value, of which a mask may select elements.
    ///
    /// # Errors
    /// As [`masked`] and [`check_axes`].
    pub(crate) fn apply(&self, cx: &mut LowerCx<'_>, x: Value, mask: Option<Value>) -> Result<Value> {
        let axes = self.axes.of(cx, x)?;
        check_axes(cx, x, &axes)?;
        let x = cx.to_float(x)?;
        match mask {
            Some(mask) => masked(cx, x, mask, &axes, self.masked),
            None => cx.softmax(x, &axes),
        }
    }
}

impl LayerDef for Softmax {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let out = self.apply(cx, input.value, input.mask)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        // The default axis in TensorFlow.js is 1.
        out.set("axis", self.axes.encode());
        if !self.axes.is_last(out.rank()) {
            out.warn("TensorFlow.js has softmax over the last axis only");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_program_of, check_refused, check_refused_in, read_layer_of};
    use expect_test::expect;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(family: Family, config: Value, axes: &[i64], masked: MaskedSoftmax) {
        let Layer::Softmax(layer) = read_layer_of(family, "Softmax", config).unwrap() else { panic!("no softmax") };
        assert_eq!(*layer, Softmax { axes: Axes(axes.to_vec()), masked });
    }

    #[test]
    fn the_producer_decides() {
        check(Family::TensorFlowJs, json!({}), &[1], MaskedSoftmax::Added);
        check(Family::Keras2, json!({"axis": null}), &[-1], MaskedSoftmax::Added);
        check(Family::Keras3, json!({"axis": [1.0, 2]}), &[1, 2], MaskedSoftmax::Replaced);
    }

    #[test]
    fn infers_and_refuses() {
        check_infer("Softmax", json!({"axis": [1, -1]}), &["?,4,3"], &["?,4,3"]);
        check_refused("Softmax", json!({"axis": 3}), &["?,4,3"], "`axis` 3 does not exist in shape [?,4,3]");
        check_refused("Softmax", json!({"axis": []}), &["?,4"], "expected at least one `axis`, found `[]`");
        check_refused("Softmax", json!({}), &["?,0"], "a softmax over an empty axis, found shape [?,0]");
    }

    #[test]
    fn masked_elements() {
        check_program_of(
            Family::Keras2,
            "Softmax",
            json!({}),
            &["?,5"],
            expect![[r#"
                input "x1": f32[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5]
                  %1 = softmax(%0) {axes=[1], log=false} : f32[batch,5]
                  return %1 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::Keras2,
            "Softmax",
            json!({}),
            &["?,5 masked"],
            expect![[r#"
                input "x1": f32[batch,5]
                input "x1.mask": bool[batch,5]
                const const0: f32[] = [0.0]
                const const1: f32[] = [-1000000000.0]
                {
                  %0 = input() {port=0} : f32[batch,5]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = const() {constant=const0} : f32[]
                  %3 = const() {constant=const1} : f32[]
                  %4 = select(%1, %2, %3) {} : f32[batch,5]
                  %5 = binary(%0, %4) {op=add} : f32[batch,5]
                  %6 = softmax(%5) {axes=[1], log=false} : f32[batch,5]
                  return %6 "y1", %1 "y1.mask"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Softmax",
            json!({}),
            &["?,5 masked"],
            expect![[r#"
                input "x1": f32[batch,5]
                input "x1.mask": bool[batch,5]
                const const0: f32[] = [0.0]
                const const1: f32[] = [-1000000000.0]
                {
                  %0 = input() {port=0} : f32[batch,5]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = const() {constant=const0} : f32[]
                  %3 = const() {constant=const1} : f32[]
                  %4 = select(%1, %0, %3) {} : f32[batch,5]
                  %5 = softmax(%4) {axes=[1], log=false} : f32[batch,5]
                  %6 = select(%1, %5, %2) {} : f32[batch,5]
                  return %6 "y1", %1 "y1.mask"
                }
            "#]],
        );
        let message = "a mask of shape [?,4] does not fit an input [?,4,3]";
        check_refused_in(Phase::Predict, "Softmax", json!({}), &["?,4,3 masked"], message);
    }

    #[test]
    fn an_axis_that_may_be_empty_is_guarded() {
        check_program_of(
            Family::Keras2,
            "Softmax",
            json!({"axis": [2, 1]}),
            &["?,?,3"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = softmax(%0) {axes=[1,2], log=false} : f32[batch,x1.1,3]
                  return %1 "y1"
                }
            "#]],
        );
    }
}
