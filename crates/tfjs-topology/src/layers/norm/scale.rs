//! `LayerScale` of ConvNeXt: `input * gamma`.
//!
//! Reference: <https://arxiv.org/abs/2103.17239>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result, Shape};

/// A factor for each channel. Weights: `gamma [channels]`, which has no name in Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerScale {
    /// The number of channels.
    pub channels: usize,
}

impl FromConfig for LayerScale {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["init_values"]);
        Ok(LayerScale { channels: config.req("projection_dim")? })
    }
}

impl LayerDef for LayerScale {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let channels = cx.number(self.channels);
        let last = cx.ty(input.value).dims.last().copied();
        if last.is_none_or(|last| cx.same(last, channels).is_none()) {
            let (n, shape) = (self.channels, cx.shape(input.value));
            return Err(Error::malformed(format!("expected {n} channels, found shape {shape}")));
        }
        let gamma = cx.weight(WeightDecl::new("gamma", Shape::new([self.channels])?).alias("variable").ones())?;
        let x = cx.to_float(input.value)?;
        Ok(vec![cx.mul(x, gamma)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_factor_for_each_channel() {
        let config = json!({"init_values": 1e-6, "projection_dim": 3});
        check_infer("LayerScale", config.clone(), &["?,?,9,3"], &["?,?,9,3"]);
        check_weights("LayerScale", config.clone(), &["?,3"], &["gamma[3]"]);
        check_refused("LayerScale", config.clone(), &["?,4"], "expected 3 channels, found shape [?,4]");
        check_refused("LayerScale", json!({}), &[], "`config`: missing `projection_dim`");
        check_program(
            "LayerScale",
            config,
            &["?,3"],
            expect![[r#"
            input "x1": f32[batch,3]
            slot slot0 "/gamma": f32[3]
            {
              %0 = input() {port=0} : f32[batch,3]
              %1 = param() {slot=slot0} : f32[3]
              %2 = binary(%0, %1) {op=mul} : f32[batch,3]
              return %2 "y1"
            }
        "#]],
        );
    }
}
