//! `CenterCrop`: the middle of images; an image that is too small is cropped to the aspect ratio and resized instead.
//! `RandomCrop` does the latter at inference.
//!
//! Reference: <https://keras.io/api/layers/preprocessing_layers/image_preprocessing/center_crop/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::resample::{Interpolation, resize};
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// The part of an image that is kept at inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The middle; of an image that is smaller, what [`Part::Fitting`] leaves. DIFFERENCE: TensorFlow.js takes the nearest
    /// elements of a box that is not quite the middle.
    Middle,
    /// The largest part with the aspect ratio of the size, resized: `RandomCrop` of Keras 2.
    Fitting,
    /// All of it: `RandomCrop` of Keras 3.
    Whole,
}

/// Keeps a part of each image. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop {
    /// The axes of height and width.
    pub spatial: Spatial,
    /// The height and width of the result, each at least 1.
    pub size: [usize; 2],
    /// The part that is kept at inference.
    pub part: Part,
    /// Whether training keeps a random part instead.
    pub random: bool,
}

impl FromConfig for Crop {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["CenterCrop"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let random = class == "RandomCrop";
        let part = match (random, config.producer().is_keras3()) {
            (false, _) => Part::Middle,
            (true, false) => Part::Fitting,
            (true, true) => Part::Whole,
        };
        Ok(Crop { spatial: Spatial::read(2, config)?, size: super::read_size(config)?, part, random })
    }
}

impl Crop {
    /// The lengths of the middle: the target size if the image is at least as large, otherwise the part that fits.
    fn middle(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<[Dim; 2]> {
        let fitting = super::fitting(cx, x, self.spatial, self.size)?;
        // 1 if both axes are long enough, otherwise 0. The lengths may be unknown.
        let mut enough = Dim::ONE;
        for (axis, target) in self.spatial.axes().zip(self.size) {
            let times = cx.dims_of(x)[axis];
            let times = cx.dims().div_floor(times, target as u64)?;
            let once = cx.dims().min(times, Dim::ONE)?;
            enough = cx.dims().mul(enough, once)?;
        }
        let mut lengths = fitting;
        for (length, target) in lengths.iter_mut().zip(self.size) {
            let target = cx.number(target);
            let more = cx.dims().sub(target, *length)?;
            let more = cx.dims().mul(more, enough)?;
            *length = cx.dims().add(*length, more)?;
        }
        Ok(lengths)
    }
}

impl LayerDef for Crop {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        if self.random && cx.training() {
            return Err(Error::unsupported("training with `RandomCrop` is not supported"));
        }
        let (input, alone) = super::images(cx, call, self.spatial)?;
        let x = cx.to_float(input)?;
        let lengths = match self.part {
            Part::Whole if alone => return Ok(vec![cx.remove_axis(x, 0)?.into()]),
            Part::Whole => return Ok(vec![x.into()]),
            Part::Middle => self.middle(cx, x)?,
            Part::Fitting => super::fitting(cx, x, self.spatial, self.size)?,
        };
        let mut out = super::cut(cx, x, self.spatial, lengths)?;
        for (axis, target) in self.spatial.axes().zip(self.size) {
            let target = cx.number(target);
            out = resize(cx, out, axis, target, Interpolation::Bilinear, false)?;
        }
        let out = if alone { cx.remove_axis(out, 0)? } else { out };
        Ok(vec![out.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if !self.random {
            out.warn("TensorFlow.js loads this layer and cannot predict with it");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::testing::{
        check_encoded, check_infer, check_program, check_program_of, check_refused, check_refused_in,
    };
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        let size = json!({"height": 5.0, "width": 6});
        check_infer("CenterCrop", size.clone(), &["?,?,9,3"], &["?,5,6,3"]);
        check_infer("CenterCrop", size.clone(), &["?,3,9,3"], &["?,5,6,3"]);
        check_infer("RandomCrop", size.clone(), &["?,?,?,3"], &["?,5,6,3"]);
        check_refused("CenterCrop", size.clone(), &["?,9"], "expected an input of rank 4, found shape [?,9]");
        check_infer("CenterCrop", size.clone(), &["7,9,3"], &["5,6,3"]);
        check_refused("RandomCrop", json!({"height": 5}), &[], "`config`: missing `width`");
        let message = "training with `RandomCrop` is not supported";
        check_refused_in(Phase::Train, "RandomCrop", size, &["?,9,9,3"], message);
    }

    #[test]
    fn the_middle() {
        let size = json!({"height": 2, "width": 3});
        check_program(
            "CenterCrop",
            size,
            &["int32 ?,5,6,3"],
            expect![[r#"
            input "x1": i32[batch,5,6,3]
            {
              %0 = input() {port=0} : i32[batch,5,6,3]
              %1 = cast(%0) {to=f32} : f32[batch,5,6,3]
              %2 = slice(%1) {ranges=[0|batch|1,1|2|1,1|3|1,0|3|1]} : f32[batch,2,3,3]
              return %2 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn a_random_part_is_the_largest_or_all() {
        let size = json!({"height": 4, "width": 6});
        check_program(
            "RandomCrop",
            size.clone(),
            &["?,6,6,3"],
            expect![[r#"
            input "x1": f32[batch,6,6,3]
            {
              %0 = input() {port=0} : f32[batch,6,6,3]
              %1 = slice(%0) {ranges=[0|batch|1,1|4|1,0|6|1,0|3|1]} : f32[batch,4,6,3]
              return %1 "y1"
            }
        "#]],
        );
        check_program_of(
            Family::Keras3,
            "RandomCrop",
            size,
            &["?,6,6,3"],
            expect![[r#"
            input "x1": f32[batch,6,6,3]
            {
              %0 = input() {port=0} : f32[batch,6,6,3]
              return %0 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn tensorflow_js_cannot_predict_with_it() {
        let config = json!({"height": 4, "width": 2});
        let warning = "TensorFlow.js loads this layer and cannot predict with it";
        check_encoded(Family::Keras2, &json!([null, 8, 8, 3]), "CenterCrop", &config, &config, &[warning]);
    }
}
