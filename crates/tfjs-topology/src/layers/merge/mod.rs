//! Layers that combine several inputs.

pub mod arithmetic;
pub mod concatenate;
pub mod cosine;
pub mod dot;

use crate::layers::masks::MaskRule;
use crate::lower::{KerasTensor, LowerCx};
use crate::producer::Producer;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::Result;

/// How elementwise merge layers combine the masks of their inputs.
pub(crate) fn mask_rule(producer: &Producer) -> MaskRule {
    if producer.is_keras3() { MaskRule::Or } else { MaskRule::And }
}

/// The values with one element type: their own if all have the same and `keeps` accepts it, otherwise floating point.
fn unified(cx: &mut LowerCx<'_>, inputs: &[KerasTensor], keeps: impl Fn(ElementType) -> bool) -> Result<Vec<Value>> {
    let mut elements = inputs.iter().map(|input| cx.ty(input.value).element);
    if elements.next().is_none_or(|first| keeps(first) && elements.all(|element| element == first)) {
        return Ok(inputs.iter().map(|input| input.value).collect());
    }
    let cast = |input: &KerasTensor| {
        let value = cx.to_float(input.value)?;
        cx.cast(value, ElementType::F32)
    };
    inputs.iter().map(cast).collect()
}
