//! `Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`: elementwise arithmetic.
//!
//! Inputs of lower rank get axes of length 1 after the batch, then shapes broadcast. In Keras 3, `Multiply`, `Maximum`
//! and `Minimum` ignore masked elements.
//!
//! Reference: <https://keras.io/api/layers/merging_layers/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::masks::{self, MaskRule};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// The arithmetic operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeKind {
    /// The sum.
    Add,
    /// The first minus the second.
    Subtract,
    /// The product.
    Multiply,
    /// The mean.
    Average,
    /// The largest.
    Maximum,
    /// The smallest.
    Minimum,
}

/// An elementwise merge. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// The arithmetic operation.
    pub kind: MergeKind,
    /// Whether masked elements are ignored.
    pub skips_masked: bool,
    /// How masks are propagated.
    pub mask: MaskRule,
}

impl FromConfig for Merge {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Add", "Multiply", "Average", "Maximum", "Minimum"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Add" => MergeKind::Add,
            "Subtract" => MergeKind::Subtract,
            "Multiply" => MergeKind::Multiply,
            "Average" => MergeKind::Average,
            "Maximum" => MergeKind::Maximum,
            "Minimum" => MergeKind::Minimum,
            other => return Err(Error::bug(format!("`{other}` is listed as a merge layer"))),
        };
        let masks = matches!(kind, MergeKind::Multiply | MergeKind::Maximum | MergeKind::Minimum);
        Ok(Merge {
            kind,
            skips_masked: masks && config.producer().is_keras3(),
            mask: super::mask_rule(config.producer()),
        })
    }
}

/// A value with axes of length 1 inserted after the batch, up to a rank.
fn expand(cx: &mut LowerCx<'_>, x: Value, rank: usize) -> Result<Value> {
    let mut dims = cx.dims_of(x);
    let missing = rank.saturating_sub(dims.len());
    let after_batch = dims.len().min(1);
    // SIZE: a difference of ranks.
    dims.splice(after_batch..after_batch, std::iter::repeat_n(Dim::ONE, missing));
    cx.reshape(x, &dims)
}

/// The result so far without masked elements, and the mask of elements that are included in it.
type Unmasked = (Value, Option<Value>);

impl Merge {
    fn op(&self) -> BinaryOp {
        match self.kind {
            MergeKind::Add | MergeKind::Average => BinaryOp::Add,
            MergeKind::Subtract => BinaryOp::Sub,
            MergeKind::Multiply => BinaryOp::Mul,
            MergeKind::Maximum => BinaryOp::Max,
            MergeKind::Minimum => BinaryOp::Min,
        }
    }

    /// Combines values of equal rank.
    fn all(&self, cx: &mut LowerCx<'_>, values: &[Value]) -> Result<Value> {
        let out = values[1..].iter().try_fold(values[0], |out, &x| cx.binary(self.op(), out, x))?;
        match self.kind {
            MergeKind::Average => cx.binary_scalar(BinaryOp::Div, out, values.len() as f64),
            _ => Ok(out),
        }
    }

    /// Keras 3's arithmetic with masks: a masked element is 1 in a product, and is ignored in a maximum
    /// or minimum. If all inputs have masks, elements masked in all of them are 0 in a product.
    fn unmasked(&self, cx: &mut LowerCx<'_>, values: &[Value], masks: &[Option<Value>]) -> Result<Value> {
        let mut terms = Vec::with_capacity(values.len());
        for (&x, mask) in values.iter().zip(masks) {
            let mask = mask.map(|mask| masks::over_first_axes(cx, mask, x)).transpose()?;
            terms.push(match (mask, self.kind) {
                (Some(mask), MergeKind::Multiply) => {
                    let one = cx.scalar_like(x, 1.0)?;
                    (cx.select(mask, x, one)?, Some(mask))
                }
                _ => (x, mask),
            });
        }
        let (out, mask) = terms[1..].iter().try_fold(terms[0], |all, &next| self.unmasked_pair(cx, all, next))?;
        match mask {
            Some(mask) if self.kind == MergeKind::Multiply => {
                let zero = cx.scalar_like(out, 0.0)?;
                cx.select(mask, out, zero)
            }
            _ => Ok(out),
        }
    }

    /// One step of [`unmasked`](Merge::unmasked). The order of the two selections is Keras's.
    fn unmasked_pair(
        &self,
        cx: &mut LowerCx<'_>,
        (mut out, out_mask): Unmasked,
        (mut x, mask): Unmasked,
    ) -> Result<Unmasked> {
        if self.kind != MergeKind::Multiply {
            if let Some(mask) = mask {
                x = cx.select(mask, x, out)?;
            }
            if let Some(mask) = out_mask {
                out = cx.select(mask, out, x)?;
            }
        }
        let either = match (out_mask, mask) {
            (Some(a), Some(b)) => Some(cx.binary(BinaryOp::Or, a, b)?),
            _ => None,
        };
        Ok((cx.binary(self.op(), out, x)?, either))
    }
}

impl LayerDef for Merge {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let inputs: Vec<KerasTensor> = call.inputs().into_iter().cloned().collect();
        if inputs.is_empty() {
            return Err(Error::malformed("expected at least one input, found none"));
        }
        if self.kind == MergeKind::Subtract && inputs.len() != 2 {
            return Err(Error::malformed(format!("expected two inputs, found {}", inputs.len())));
        }
        let whole = self.kind != MergeKind::Average;
        let mut values = super::unified(cx, &inputs, |e| e.is_float() || (e.is_integer() && whole))?;
        let rank = values.iter().map(|&x| cx.ty(x).rank()).max().unwrap_or_default();
        for x in &mut values {
            *x = expand(cx, *x, rank)?;
        }
        let masks: Vec<Option<Value>> = inputs.iter().map(|input| input.mask).collect();
        let out = match self.skips_masked && masks.iter().any(Option::is_some) {
            true => self.unmasked(cx, &values, &masks)?,
            false => self.all(cx, &values)?,
        };
        let mask = masks::combined(cx, self.mask, &inputs)?;
        Ok(vec![KerasTensor::from(out).with_mask(mask)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_program, check_program_of, check_refused, read_layer_of};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Add", json!({}), &["?,4,3", "?,1,3", "2,4,3"], &["2,4,3"]);
        check_infer("Average", json!({}), &["?,5,4,3", "?,3"], &["?,5,4,3"]);
        check_infer("Multiply", json!({}), &["?,3", "?,5,1,3"], &["?,5,1,3"]);
        check_infer("Subtract", json!({}), &["?,?", "?,3"], &["?,3"]);
    }

    #[test]
    fn refuses() {
        check_refused("Add", json!({}), &["?,4", "?,3"], "shapes [?,4] and [?,3] do not broadcast");
        check_refused("Subtract", json!({}), &["?,3"], "expected two inputs, found 1");
        check_refused("Maximum", json!({}), &[], "expected at least one input, found none");
    }

    #[test]
    fn masks() {
        let rule = |family| match read_layer_of(family, "Add", json!({})).unwrap() {
            Layer::Merge(merge) => merge.mask,
            other => panic!("{other:?}"),
        };
        assert_eq!(rule(Family::Keras2), MaskRule::And);
        assert_eq!(rule(Family::TensorFlowJs), MaskRule::And);
        assert_eq!(rule(Family::Keras3), MaskRule::Or);
    }

    #[test]
    fn ranks_and_element_types() {
        check_program(
            "Add",
            json!({}),
            &["?,3", "?,5,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                input "x2": f32[batch,5,3]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = input() {port=1} : f32[batch,5,3]
                  %2 = reshape(%0) {dims=[batch,1,3]} : f32[batch,1,3]
                  %3 = binary(%2, %1) {op=add} : f32[batch,5,3]
                  return %3 "y1"
                }
            "#]],
        );
        check_program(
            "Multiply",
            json!({}),
            &["int32 ?,3", "int32 ?,3"],
            expect![[r#"
                input "x1": i32[batch,3]
                input "x2": i32[batch,3]
                {
                  %0 = input() {port=0} : i32[batch,3]
                  %1 = input() {port=1} : i32[batch,3]
                  %2 = binary(%0, %1) {op=mul} : i32[batch,3]
                  return %2 "y1"
                }
            "#]],
        );
        check_program(
            "Average",
            json!({}),
            &["int32 ?,3", "bool ?,3"],
            expect![[r#"
                input "x1": i32[batch,3]
                input "x2": bool[batch,3]
                const const0: f32[] = [2.0]
                {
                  %0 = input() {port=0} : i32[batch,3]
                  %1 = input() {port=1} : bool[batch,3]
                  %2 = cast(%0) {to=f32} : f32[batch,3]
                  %3 = cast(%1) {to=f32} : f32[batch,3]
                  %4 = binary(%2, %3) {op=add} : f32[batch,3]
                  %5 = const() {constant=const0} : f32[]
                  %6 = binary(%4, %5) {op=div} : f32[batch,3]
                  return %6 "y1"
                }
            "#]],
        );
        check_program(
            "Maximum",
            json!({}),
            &["int32 ?,3", "int64 ?,3"],
            expect![[r#"
                input "x1": i32[batch,3]
                input "x2": i64[batch,3]
                {
                  %0 = input() {port=0} : i32[batch,3]
                  %1 = input() {port=1} : i64[batch,3]
                  %2 = cast(%0) {to=f32} : f32[batch,3]
                  %3 = cast(%1) {to=f32} : f32[batch,3]
                  %4 = binary(%2, %3) {op=max} : f32[batch,3]
                  return %4 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn masks_that_are_there() {
        check_program(
            "Add",
            json!({}),
            &["?,5,3 masked", "?,5,3"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,3]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,3]
                  %3 = binary(%0, %2) {op=add} : f32[batch,5,3]
                  return %3 "y1", %1 "y1.mask"
                }
            "#]],
        );
        check_program(
            "Multiply",
            json!({}),
            &["?,5,3 masked", "?,5,3 masked"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,3]
                input "x2.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,3]
                  %3 = input() {port=3} : bool[batch,5]
                  %4 = binary(%0, %2) {op=mul} : f32[batch,5,3]
                  %5 = binary(%1, %3) {op=and} : bool[batch,5]
                  return %4 "y1", %5 "y1.mask"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Add",
            json!({}),
            &["?,5,3 masked", "?,5,3"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,3]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,3]
                  %3 = binary(%0, %2) {op=add} : f32[batch,5,3]
                  return %3 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Add",
            json!({}),
            &["?,5,3 masked", "?,5,3 masked"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,3]
                input "x2.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,3]
                  %3 = input() {port=3} : bool[batch,5]
                  %4 = binary(%0, %2) {op=add} : f32[batch,5,3]
                  %5 = binary(%1, %3) {op=or} : bool[batch,5]
                  return %4 "y1", %5 "y1.mask"
                }
            "#]],
        );
    }

    #[test]
    fn keras_3_leaves_masked_elements_out() {
        let both = ["?,5,3 masked", "?,5,3 masked"];
        check_program_of(
            Family::Keras3,
            "Multiply",
            json!({}),
            &both,
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,3]
                input "x2.mask": bool[batch,5]
                const const0: f32[] = [1.0]
                const const1: f32[] = [0.0]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,3]
                  %3 = input() {port=3} : bool[batch,5]
                  %4 = reshape(%1) {dims=[batch,5,1]} : bool[batch,5,1]
                  %5 = const() {constant=const0} : f32[]
                  %6 = select(%4, %0, %5) {} : f32[batch,5,3]
                  %7 = reshape(%3) {dims=[batch,5,1]} : bool[batch,5,1]
                  %8 = select(%7, %2, %5) {} : f32[batch,5,3]
                  %9 = binary(%4, %7) {op=or} : bool[batch,5,1]
                  %10 = binary(%6, %8) {op=mul} : f32[batch,5,3]
                  %11 = const() {constant=const1} : f32[]
                  %12 = select(%9, %10, %11) {} : f32[batch,5,3]
                  %13 = binary(%1, %3) {op=or} : bool[batch,5]
                  return %12 "y1", %13 "y1.mask"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Maximum",
            json!({}),
            &both,
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,3]
                input "x2.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,3]
                  %3 = input() {port=3} : bool[batch,5]
                  %4 = reshape(%1) {dims=[batch,5,1]} : bool[batch,5,1]
                  %5 = reshape(%3) {dims=[batch,5,1]} : bool[batch,5,1]
                  %6 = select(%5, %2, %0) {} : f32[batch,5,3]
                  %7 = select(%4, %0, %6) {} : f32[batch,5,3]
                  %8 = binary(%4, %5) {op=or} : bool[batch,5,1]
                  %9 = binary(%7, %6) {op=max} : f32[batch,5,3]
                  %10 = binary(%1, %3) {op=or} : bool[batch,5]
                  return %9 "y1", %10 "y1.mask"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Minimum",
            json!({}),
            &["?,5,3", "?,5,3 masked"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x2": f32[batch,5,3]
                input "x2.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : f32[batch,5,3]
                  %2 = input() {port=2} : bool[batch,5]
                  %3 = reshape(%2) {dims=[batch,5,1]} : bool[batch,5,1]
                  %4 = select(%3, %1, %0) {} : f32[batch,5,3]
                  %5 = binary(%0, %4) {op=min} : f32[batch,5,3]
                  return %5 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Minimum",
            json!({}),
            &["?,5,3", "?,5,3"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x2": f32[batch,5,3]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : f32[batch,5,3]
                  %2 = binary(%0, %1) {op=min} : f32[batch,5,3]
                  return %2 "y1"
                }
            "#]],
        );
    }
}
