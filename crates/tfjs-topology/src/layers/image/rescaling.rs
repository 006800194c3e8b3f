//! `Rescaling`: `input * scale + offset`.
//!
//! Reference: <https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/>.

use crate::call::Call;
use crate::config::{Config, FromJson};
use crate::layer::LayerDef;
use crate::layers::masks::{self, MaskRule};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Array, Data, Value as Numbers};
use tfjs_manifest::{Error, Result};

/// One number for all elements, or one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct PerChannel(pub Vec<f32>);

impl FromJson for PerChannel {
    fn from_json(value: &Value) -> Result<Self> {
        match value {
            Value::Array(_) => Vec::<f32>::from_json(value).map(PerChannel),
            one => f32::from_json(one).map(|n| PerChannel(vec![n])),
        }
    }
}

impl PerChannel {
    /// Fails unless there is one number, or one for each element of the last axis.
    fn check(&self, cx: &mut LowerCx<'_>, x: Numbers) -> Result<()> {
        let n = self.0.len();
        let length = cx.number(n);
        let last = cx.ty(x).dims.last().copied();
        if n == 1 || last.is_some_and(|last| cx.same(last, length).is_some()) {
            return Ok(());
        }
        Err(Error::malformed(format!("{n} numbers for the last axis of shape {}", cx.shape(x))))
    }

    /// The numbers as a constant of the element type of `x`, which broadcasts to it.
    fn constant(&self, cx: &mut LowerCx<'_>, x: Numbers) -> Result<Numbers> {
        let element = cx.ty(x).element;
        match self.0[..] {
            [number] => cx.scalar(element, number.into()),
            ref numbers => {
                let data = Data::Float(numbers.iter().map(|&n| n.into()).collect());
                cx.constant(Array::new(element, [numbers.len()], data)?)
            }
        }
    }
}

/// A linear map of each element. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescaling {
    /// The factor: one number, or one for each element of the last axis.
    pub scale: PerChannel,
    /// The offset, added after scaling.
    pub offset: PerChannel,
    /// How masks are propagated.
    pub mask: MaskRule,
}

impl FromConfig for Rescaling {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Rescaling"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let mask = if config.producer().is_keras3() { MaskRule::Pass } else { MaskRule::Stop };
        Ok(Rescaling { scale: config.req("scale")?, offset: config.or("offset", PerChannel(vec![0.0]))?, mask })
    }
}

impl LayerDef for Rescaling {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        self.scale.check(cx, input.value)?;
        self.offset.check(cx, input.value)?;
        let mut out = cx.to_float(input.value)?;
        for (numbers, op) in [(&self.scale, BinaryOp::Mul), (&self.offset, BinaryOp::Add)] {
            let constant = numbers.constant(cx, out)?;
            out = cx.binary(op, out, constant)?;
        }
        let mask = masks::combined(cx, self.mask, &[input])?;
        Ok(vec![KerasTensor::from(out).with_mask(mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_program, check_program_of, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("Rescaling", json!({"scale": 0.5}), &["?,4,4,3"], &["?,4,4,3"]);
        let config = json!({"scale": {"type": "ndarray", "value": [1.0, 2, 3]}, "offset": [-1, 0, 1]});
        check_infer("Rescaling", config.clone(), &["?,4,4,3"], &["?,4,4,3"]);
        check_refused("Rescaling", config, &["?,2"], "3 numbers for the last axis of shape [?,2]");
        check_refused("Rescaling", json!({}), &[], "`config`: missing `scale`");
    }

    #[test]
    fn numbers_for_all_or_for_each_channel() {
        check_program(
            "Rescaling",
            json!({"scale": 0.5, "offset": -1}),
            &["int32 ?,4,3 masked"],
            expect![[r#"
                input "x1": i32[batch,4,3]
                input "x1.mask": bool[batch,4]
                const const0: f32[] = [0.5]
                const const1: f32[] = [-1.0]
                {
                  %0 = input() {port=0} : i32[batch,4,3]
                  %1 = input() {port=1} : bool[batch,4]
                  %2 = cast(%0) {to=f32} : f32[batch,4,3]
                  %3 = const() {constant=const0} : f32[]
                  %4 = binary(%2, %3) {op=mul} : f32[batch,4,3]
                  %5 = const() {constant=const1} : f32[]
                  %6 = binary(%4, %5) {op=add} : f32[batch,4,3]
                  return %6 "y1"
                }
            "#]],
        );
        let config = json!({"scale": [1, 2, 3]});
        check_program_of(
            Family::Keras3,
            "Rescaling",
            config,
            &["?,4,? masked"],
            expect![[r#"
                input "x1": f32[batch,4,x1.2]
                input "x1.mask": bool[batch,4]
                const const0: f32[3] = [1.0,2.0,3.0]
                const const1: f32[] = [0.0]
                guard equal(x1.2, 3)
                guard broadcast(x1.2, 3)
                {
                  %0 = input() {port=0} : f32[batch,4,x1.2]
                  %1 = input() {port=1} : bool[batch,4]
                  %2 = const() {constant=const0} : f32[3]
                  %3 = binary(%0, %2) {op=mul} : f32[batch,4,3]
                  %4 = const() {constant=const1} : f32[]
                  %5 = binary(%3, %4) {op=add} : f32[batch,4,3]
                  return %5 "y1", %1 "y1.mask"
                }
            "#]],
        );
    }
}
