//! `AutoContrast` of Keras 3: stretches each channel of an image to the whole range of values.
//!
//! Reference: <https://keras.io/api/layers/preprocessing_layers/image_augmentation/auto_contrast/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_manifest::{Error, Result};

/// The maximum of the internal range, independent of `value_range`.
const WHITE: f64 = 255.0;

/// Stretches images to a range of values. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoContrast {
    /// The minimum and the maximum, which differ.
    pub range: [f64; 2],
}

impl FromConfig for AutoContrast {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // The extremes are those over the two middle axes, even if channels are first.
        config.inert(&["data_format"]);
        let range: Vec<f64> = config.or("value_range", vec![0.0, WHITE])?;
        match range[..] {
            [a, b] if a != b => Ok(AutoContrast { range: [a.min(b), a.max(b)] }),
            _ => {
                let message = format!("expected two numbers that differ, found {range:?}");
                Err(Error::malformed(message).at_json("value_range").at_json("config"))
            }
        }
    }
}

impl LayerDef for AutoContrast {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single_of_rank(call, 4)?.value;
        let original = cx.to_float(input)?;
        let [least, greatest] = self.range;
        let width = (greatest - least) / WHITE;
        let mut x = original;
        if self.range != [0.0, WHITE] {
            x = cx.binary_scalar(BinaryOp::Sub, x, least)?;
            x = cx.binary_scalar(BinaryOp::Div, x, width)?;
        }
        let low = cx.reduce(ReduceOp::Min, x, &[1, 2], true)?;
        let high = cx.reduce(ReduceOp::Max, x, &[1, 2], true)?;
        let span = cx.sub(high, low)?;
        let white = cx.scalar_like(x, WHITE)?;
        let scale = cx.div(white, span)?;
        let offset = cx.mul(low, scale)?;
        let stretched = cx.mul(x, scale)?;
        let mut out = cx.sub(stretched, offset)?;
        out = cx.binary_scalar(BinaryOp::Max, out, 0.0)?;
        out = cx.binary_scalar(BinaryOp::Min, out, WHITE)?;
        if self.range != [0.0, WHITE] {
            out = cx.binary_scalar(BinaryOp::Mul, out, width)?;
            out = cx.binary_scalar(BinaryOp::Add, out, least)?;
        }
        // A channel with a single value has no contrast and is unchanged.
        let flat = cx.unary(UnaryOp::IsNan, out)?;
        Ok(vec![cx.select(flat, original, out)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("AutoContrast", json!({}), &["?,?,9,3"], &["?,?,9,3"]);
        let message = "expected an input of rank 4, found shape [?,3]";
        check_refused("AutoContrast", json!({}), &["?,3"], message);
        let message = "`config.value_range`: expected two numbers that differ, found [1.0, 1.0]";
        check_refused("AutoContrast", json!({"value_range": [1, 1]}), &[], message);
    }

    #[test]
    fn channels_are_stretched() {
        check_program(
            "AutoContrast",
            json!({"value_range": [0, 1]}),
            &["?,4,4,3"],
            expect![[r#"
            input "x1": f32[batch,4,4,3]
            const const0: f32[] = [0.0]
            const const1: f32[] = [0.003921568859368563]
            const const2: f32[] = [255.0]
            {
              %0 = input() {port=0} : f32[batch,4,4,3]
              %1 = const() {constant=const0} : f32[]
              %2 = binary(%0, %1) {op=sub} : f32[batch,4,4,3]
              %3 = const() {constant=const1} : f32[]
              %4 = binary(%2, %3) {op=div} : f32[batch,4,4,3]
              %5 = reduce(%4) {op=min, axes=[1,2], keep=true} : f32[batch,1,1,3]
              %6 = reduce(%4) {op=max, axes=[1,2], keep=true} : f32[batch,1,1,3]
              %7 = binary(%6, %5) {op=sub} : f32[batch,1,1,3]
              %8 = const() {constant=const2} : f32[]
              %9 = binary(%8, %7) {op=div} : f32[batch,1,1,3]
              %10 = binary(%5, %9) {op=mul} : f32[batch,1,1,3]
              %11 = binary(%4, %9) {op=mul} : f32[batch,4,4,3]
              %12 = binary(%11, %10) {op=sub} : f32[batch,4,4,3]
              %13 = binary(%12, %1) {op=max} : f32[batch,4,4,3]
              %14 = binary(%13, %8) {op=min} : f32[batch,4,4,3]
              %15 = binary(%14, %3) {op=mul} : f32[batch,4,4,3]
              %16 = binary(%15, %1) {op=add} : f32[batch,4,4,3]
              %17 = unary(%16) {op=is_nan} : bool[batch,4,4,3]
              %18 = select(%17, %0, %16) {} : f32[batch,4,4,3]
              return %18 "y1"
            }
        "#]],
        );
    }
}
