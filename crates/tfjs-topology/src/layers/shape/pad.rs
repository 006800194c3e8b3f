//! `ZeroPadding1D`, `2D`, `3D`: pads the spatial axes with zeros.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/zero_padding2d/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::spatial::{Spatial, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::layout::Padding;
use tfjs_ir::window::Pads;
use tfjs_manifest::{Error, Result};

/// Pads the spatial axes with zeros. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ZeroPadding {
    /// The axes.
    pub spatial: Spatial,
    /// The zeros before and after each axis.
    pub pads: Vec<Pads>,
}

impl FromConfig for ZeroPadding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["ZeroPadding2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let count = count_of(class, &["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"])?;
        let spatial = Spatial::read(count, config)?;
        Ok(ZeroPadding { spatial, pads: super::borders(config, "padding", &spatial, 1)? })
    }
}

impl ZeroPadding {
    /// The padding of an axis.
    fn around(&self, cx: &mut LowerCx<'_>, x: Value, axis: usize, pads: Pads) -> Result<Padding> {
        let length = cx.known_dim(cx.ty(x).dims[axis]).unwrap_or(0);
        let padded = pads.before.checked_add(pads.after).and_then(|more| more.checked_add(length));
        if padded.is_none_or(|n| n >= isize::MAX as usize) {
            return Err(Error::malformed(format!("too many zeros around shape {}", cx.shape(x))));
        }
        Ok(Padding { low: cx.number(pads.before), high: cx.number(pads.after), interior: 0 })
    }
}

impl LayerDef for ZeroPadding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = cx.single_of_rank(call, self.spatial.count + 2)?.value;
        let mut padding = vec![Padding::NONE; self.spatial.count + 2];
        for (axis, &pads) in self.spatial.axes().zip(&self.pads) {
            padding[axis] = self.around(cx, x, axis, pads)?;
        }
        Ok(vec![cx.pad(x, &padding, 0.0)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("ZeroPadding2D", json!({}), &["?,9,?,3"], &["?,11,?,3"]);
        check_infer("ZeroPadding2D", json!({"padding": [1, 2.0]}), &["?,9,9,3"], &["?,11,13,3"]);
        let config = json!({"padding": [[0, 1], [2, 3]], "dataFormat": "channelsFirst"});
        check_infer("ZeroPadding2D", config, &["?,3,9,9"], &["?,3,10,14"]);
        check_infer("ZeroPadding1D", json!({"padding": [0, 3]}), &["?,9,3"], &["?,12,3"]);
    }

    #[test]
    fn refuses() {
        check_refused("ZeroPadding2D", json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
        let message = "`config.padding`: expected a number, or one or two numbers for each of 2 axes, found `[1,-1]`";
        check_refused("ZeroPadding2D", json!({"padding": [1, -1]}), &[], message);
        let huge = json!({"padding": 9e14});
        check_infer("ZeroPadding1D", huge, &["?,9,3"], &["?,1800000000000009,3"]);
    }

    #[test]
    fn one_pad() {
        let config = json!({"padding": [[0, 1], [2, 3]], "data_format": "channels_first"});
        check_program(
            "ZeroPadding2D",
            config,
            &["int32 ?,3,9,?"],
            expect![[r#"
                input "x1": i32[batch,3,9,x1.3]
                {
                  %0 = input() {port=0} : i32[batch,3,9,x1.3]
                  %1 = pad(%0) {padding=[0|0|0,0|0|0,0|1|0,2|3|0], value=0.0} : i32[batch,3,10,x1.3+5]
                  return %1 "y1"
                }
            "#]],
        );
    }
}
