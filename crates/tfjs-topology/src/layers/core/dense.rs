//! `Dense`: `activation(dot(input, kernel) + bias)` over the last axis.
//!
//! Reference: <https://keras.io/api/layers/core_layers/dense/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::low_rank::LowRank;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result, Shape};

/// A fully connected layer. Weights: `kernel [in, units]`, `bias [units]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// The size of the output's last axis.
    pub units: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation, applied last.
    pub activation: Last,
    /// Added to the kernel.
    pub update: Option<LowRank>,
}

impl FromConfig for Dense {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Dense"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Dense {
            units: config.req("units")?,
            use_bias: config.or("use_bias", true)?,
            activation: Last::read(config)?,
            update: LowRank::read(config)?,
        })
    }
}

impl LayerDef for Dense {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let Some(&last) = cx.ty(input.value).dims.last().filter(|_| cx.ty(input.value).rank() >= 2) else {
            let shape = cx.shape(input.value);
            return Err(Error::malformed(format!("expected an input of rank 2 or more, found shape {shape}")));
        };
        let channels = cx.known(last, "the last axis", input.value)?;
        let shape = Shape::new([channels, self.units])?;
        let kernel = LowRank::weight(self.update, cx, WeightDecl::new("kernel", shape.clone()))?;
        let bias = match self.use_bias {
            true => Some(cx.weight(WeightDecl::new("bias", Shape::new([self.units])?))?),
            false => None,
        };
        let kernel = LowRank::added(self.update, cx, kernel, "kernel", &shape)?;
        let x = cx.to_float(input.value)?;
        let mut out = cx.matmul(x, kernel)?;
        if let Some(bias) = bias {
            out = cx.add(out, bias)?;
        }
        let out = self.activation.lower(cx, out)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask).with_rows_of(&input)])
    }

    fn takes_ragged(&self) -> bool {
        true
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        LowRank::warn(self.update, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Dense", json!({"units": 8}), &["?,3"], &["?,8"]);
        check_infer("Dense", json!({"units": 8.0, "useBias": false}), &["?,?,3"], &["?,?,8"]);
        check_weights("Dense", json!({"units": 8}), &["?,3"], &["kernel[3,8]", "bias[8]"]);
        check_weights("Dense", json!({"units": 8, "use_bias": false}), &["2,3"], &["kernel[3,8]"]);
    }

    #[test]
    fn refuses() {
        check_refused("Dense", json!({"units": 8}), &["?"], "expected an input of rank 2 or more, found shape [?]");
        check_refused("Dense", json!({"units": 8}), &["?,?"], "the last axis must be known, found shape [?,?]");
    }
}
