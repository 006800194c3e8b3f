//! `SinePositionEncoding`: sines and cosines of a sequence's positions, independent of the elements.
//!
//! Reference: <https://keras.io/keras_hub/api/modeling_layers/sine_position_encoding/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::attention::arguments::Arguments;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::ElementType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_manifest::{Error, Result};

/// Waves of growing length: channel `2i` has the sine and `2i + 1` the cosine of `position / max_wavelength^(2i / channels)`.
/// No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct SinePositionEncoding {
    /// The length of the longest wave, in units of 2 pi.
    pub max_wavelength: f64,
}

impl FromConfig for SinePositionEncoding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(SinePositionEncoding { max_wavelength: config.or("max_wavelength", 10000.0)? })
    }
}

impl LayerDef for SinePositionEncoding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let x = args.required("inputs", 0)?.value;
        let dims = cx.dims_of(x);
        let [.., steps, channels] = dims[..] else {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected an input of rank 2 or more, found shape {shape}")));
        };
        let count = cx.known(channels, "the last axis", x)?;
        let positions = super::positions(cx, args, steps)?;
        let index = cx.iota(0, &[channels], ElementType::I32)?;
        let odd = cx.binary_scalar(BinaryOp::Mod, index, 2.0)?;
        let even = cx.sub(index, odd)?;
        let even = cx.cast(even, ElementType::F32)?;
        let exponent = cx.binary_scalar(BinaryOp::Div, even, count.max(1) as f64)?;
        let base = cx.scalar(ElementType::F32, 1.0 / self.max_wavelength)?;
        let frequency = cx.binary(BinaryOp::Pow, base, exponent)?;
        let rank = cx.ty(positions).rank();
        let positions = cx.insert_axis(positions, rank)?;
        let angles = cx.mul(positions, frequency)?;
        let (sine, cosine) = (cx.unary(UnaryOp::Sin, angles)?, cx.unary(UnaryOp::Cos, angles)?);
        let is_odd = cx.compare_scalar(CompareOp::Eq, odd, 1.0)?;
        let waves = cx.select(is_odd, cosine, sine)?;
        let waves = match cx.ty(x).element.is_float() {
            true => cx.cast_like(waves, x)?,
            false => waves,
        };
        let out = cx.broadcast_to(waves, &dims)?;
        Ok(vec![out.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn waves() {
        check_infer("SinePositionEncoding", json!({}), &["?,?,4"], &["?,?,4"]);
        let config = json!({"maxWavelength": 100.0});
        check_infer("keras_hub>SinePositionEncoding", config, &["?,3,5,7"], &["?,3,5,7"]);
        let message = "expected an input of rank 2 or more, found shape [?]";
        check_refused("SinePositionEncoding", json!({}), &["?"], message);
    }
}
