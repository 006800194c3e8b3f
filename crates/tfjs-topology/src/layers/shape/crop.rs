//! `Cropping1D`, `2D`, `3D`: removes the ends of the spatial axes.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/cropping2d/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::spatial::{Spatial, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::window::Pads;
use tfjs_ir::{Dim as Length, Value};
use tfjs_manifest::{Error, Result};

/// Removes the ends of the spatial axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Cropping {
    /// The axes.
    pub spatial: Spatial,
    /// The elements removed before and after each axis.
    pub cuts: Vec<Pads>,
}

impl FromConfig for Cropping {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Cropping2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let count = count_of(class, &["Cropping1D", "Cropping2D", "Cropping3D"])?;
        let spatial = Spatial::read(count, config)?;
        // The defaults of Keras: 0 for two dimensions, 1 for one and three.
        let default = if spatial.count == 2 { 0 } else { 1 };
        Ok(Cropping { spatial, cuts: super::borders(config, "cropping", &spatial, default)? })
    }
}

impl Cropping {
    /// The part of an axis that remains.
    fn left(&self, cx: &mut LowerCx<'_>, x: Value, axis: usize, cut: Pads) -> Result<Range> {
        let Pads { before, after } = cut;
        let length = cx.dims_of(x)[axis];
        let cut = before.checked_add(after).and_then(|cut| cut.checked_add(1)).map(|least| cx.number(least));
        let Some(least) = cut.filter(|&least| cx.at_least(length, least)) else {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("nothing is left of shape {shape} without {before} and {after}")));
        };
        let more = cx.dims().sub(length, least)?;
        Ok(Range { start: cx.number(before), len: cx.dims().add(more, Length::ONE)?, step: 1 })
    }
}

impl LayerDef for Cropping {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = cx.single_of_rank(call, self.spatial.count + 2)?.value;
        let mut ranges = cx.whole(x);
        for (axis, &cut) in self.spatial.axes().zip(&self.cuts) {
            ranges[axis] = self.left(cx, x, axis, cut)?;
        }
        match ranges == cx.whole(x) {
            true => Ok(vec![x.into()]),
            false => Ok(vec![cx.slice(x, &ranges)?.into()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Cropping2D", json!({"cropping": [[0, 1], [2, 3]]}), &["?,9,?,3"], &["?,8,?,3"]);
        check_infer("Cropping1D", json!({}), &["?,9,3"], &["?,7,3"]);
    }

    #[test]
    fn refuses() {
        let message = "nothing is left of shape [?,4,9,3] without 2 and 2";
        check_refused("Cropping2D", json!({"cropping": 2}), &["?,4,9,3"], message);
        check_refused("Cropping2D", json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
    }

    #[test]
    fn one_slice() {
        let config = json!({"cropping": [[0, 1], [2, 3]], "data_format": "channels_first"});
        check_program(
            "Cropping2D",
            config,
            &["?,3,9,?"],
            expect![[r#"
                input "x1": f32[batch,3,9,x1.3]
                guard at_least(x1.3, 6)
                guard at_least(x1.3, max(0,x1.3-3))
                {
                  %0 = input() {port=0} : f32[batch,3,9,x1.3]
                  %1 = slice(%0) {ranges=[0|batch|1,0|3|1,0|8|1,2|x1.3-5|1]} : f32[batch,3,8,x1.3-5]
                  return %1 "y1"
                }
            "#]],
        );
        check_program(
            "Cropping2D",
            json!({}),
            &["?,9,9,3"],
            expect![[r#"
                input "x1": f32[batch,9,9,3]
                {
                  %0 = input() {port=0} : f32[batch,9,9,3]
                  return %0 "y1"
                }
            "#]],
        );
    }
}
