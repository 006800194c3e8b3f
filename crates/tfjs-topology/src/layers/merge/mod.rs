//! Layers that make one value of several.

pub mod arithmetic;
pub mod concatenate;

use crate::layer::MaskRule;
use crate::producer::Producer;

/// What elementwise merge layers do with the masks of their inputs.
pub(crate) fn mask_rule(producer: &Producer) -> MaskRule {
    if producer.is_keras3() { MaskRule::Or } else { MaskRule::And }
}
