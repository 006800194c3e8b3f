//! `Flatten`: merges all axes except the batch.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/flatten/>.

use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::spatial::channels_to_end;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::{Error, Result};

/// Merges all axes except the batch. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Flatten {
    /// If channels are first, they are moved to the end before flattening.
    pub format: DataFormat,
}

impl FromConfig for Flatten {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Flatten"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Flatten { format: config.or("data_format", DataFormat::default())? })
    }
}

impl LayerDef for Flatten {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let mut x = cx.single(call)?.value;
        let dims = cx.dims_of(x);
        let Some((&batch, rest)) = dims.split_first() else {
            return Err(Error::malformed("expected an input of rank 1 or more, found shape []"));
        };
        let elements = cx.dims().product(rest)?;
        if self.format == DataFormat::ChannelsFirst && dims.len() > 2 {
            x = channels_to_end(cx, x)?;
        }
        Ok(vec![cx.reshape(x, &[batch, elements])?.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        let fits = |inputs: &Vec<TensorType>| {
            let dims = inputs.first().map(|ty| ty.shape.dims()).unwrap_or_default();
            dims.len() > 2 && dims[1..].iter().all(Option::is_some)
        };
        if !out.calls().iter().all(fits) {
            out.warn("TensorFlow.js flattens inputs of rank 3 or more whose sizes are known only");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Flatten", json!({"dataFormat": "channelsFirst"}), &["?,4,3,2"], &["?,24"]);
        check_infer("Flatten", json!({}), &["2,?,3"], &["2,?"]);
        check_infer("Flatten", json!({}), &["?"], &["?,1"]);
        check_refused("Flatten", json!({}), &[""], "expected an input of rank 1 or more, found shape []");
    }

    #[test]
    fn channels_first() {
        check_program(
            "Flatten",
            json!({"data_format": "channels_first"}),
            &["?,3,?,2"],
            expect![[r#"
                input "x1": f32[batch,3,x1.2,2]
                {
                  %0 = input() {port=0} : f32[batch,3,x1.2,2]
                  %1 = transpose(%0) {order=[0,2,3,1]} : f32[batch,x1.2,2,3]
                  %2 = reshape(%1) {dims=[batch,6*x1.2]} : f32[batch,6*x1.2]
                  return %2 "y1"
                }
            "#]],
        );
        check_program(
            "Flatten",
            json!({"data_format": "channels_first"}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  return %0 "y1"
                }
            "#]],
        );
    }
}
