//! `Resizing`: resizes images.
//!
//! References: <https://keras.io/api/layers/preprocessing_layers/image_preprocessing/resizing/>, TensorFlow.js's
//! `image_resizing.ts`. TensorFlow.js predicts with this layer inside `TimeDistributed` only, with the positions of
//! TensorFlow 1.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::resample::{Grid, Interpolation, resize, resize_old};
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::layout::Padding;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// The treatment of an image with another aspect ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fit {
    /// Its axes are scaled by different factors.
    Stretch,
    /// It is cropped at both ends.
    Crop,
    /// It is padded at both ends with this number.
    Pad(f64),
}

/// Resizes images. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Resizing {
    /// The axes of height and width.
    pub spatial: Spatial,
    /// The height and width of the result, each at least 1.
    pub size: [usize; 2],
    /// The interpolation of new elements.
    pub interpolation: Interpolation,
    /// The treatment of an image with another aspect ratio.
    pub fit: Fit,
    /// Whether each element of a smaller image is computed from all elements it covers.
    pub antialias: bool,
    /// The positions of new elements.
    pub(crate) grid: Grid,
}

impl FromConfig for Resizing {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Resizing"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let name: String = config.or("interpolation", "bilinear".to_string())?;
        let Some(interpolation) = Interpolation::of_name(&name) else {
            let message = format!("there is no interpolation `{name}`");
            return Err(Error::unsupported(message).at_json("interpolation").at_json("config"));
        };
        let fill = config.or("fill_value", 0.0)?;
        let mode: String = config.or("fill_mode", "constant".to_string())?;
        let fit = match (config.or("crop_to_aspect_ratio", false)?, config.or("pad_to_aspect_ratio", false)?) {
            (false, false) => Fit::Stretch,
            (true, false) => Fit::Crop,
            (false, true) if mode == "constant" => Fit::Pad(fill),
            (false, true) => {
                let message = format!("expected `constant`, found `{mode}`");
                return Err(Error::unsupported(message).at_json("fill_mode").at_json("config"));
            }
            (true, true) => {
                let message = "expected one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio`, found both";
                return Err(Error::malformed(message).at_json("config"));
            }
        };
        // TensorFlow.js never crops: the key chooses its positions. It has no other interpolations.
        let (fit, grid) = match fit {
            _ if !config.producer().is_tfjs() || !is_in_tensorflow_js(interpolation) => (fit, Grid::Middles),
            Fit::Crop => (Fit::Stretch, Grid::Corner),
            fit => (fit, Grid::Corners),
        };
        Ok(Resizing {
            spatial: Spatial::read(2, config)?,
            size: super::read_size(config)?,
            interpolation,
            fit,
            // Not read for TensorFlow.js, which has none, so that it is reported.
            antialias: grid == Grid::Middles && config.or("antialias", false)?,
            grid,
        })
    }
}

fn is_in_tensorflow_js(interpolation: Interpolation) -> bool {
    matches!(interpolation, Interpolation::Bilinear | Interpolation::Nearest)
}

/// An image with the aspect ratio of a target size, by cropping or padding.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn fitted(cx: &mut LowerCx<'_>, x: Value, spatial: Spatial, size: [usize; 2], fit: Fit) -> Result<Value> {
    match fit {
        Fit::Stretch => Ok(x),
        Fit::Crop => super::cropped_to_ratio(cx, x, spatial, size),
        Fit::Pad(fill) => padded(cx, x, spatial, size, fill),
    }
}

/// Pads the image to the aspect ratio of the result. If the padding is odd, one element is left out.
fn padded(cx: &mut LowerCx<'_>, x: Value, spatial: Spatial, size: [usize; 2], fill: f64) -> Result<Value> {
    let axes = spatial.axes();
    let [first, second] = [axes.start, axes.start + 1];
    let (height, width) = (cx.dims_of(x)[first], cx.dims_of(x)[second]);
    let [target_height, target_width] = size;
    let tall = super::share(cx, width, target_height, target_width)?;
    let wide = super::share(cx, height, target_width, target_height)?;
    let mut padding = vec![Padding::NONE; cx.ty(x).rank()];
    for (axis, length, whole) in [(first, height, tall), (second, width, wide)] {
        let whole = cx.dims().max(length, whole)?;
        let missing = cx.dims().sub(whole, length)?;
        let each = cx.dims().div_floor(missing, 2)?;
        padding[axis] = Padding { low: each, high: each, interior: 0 };
    }
    cx.pad(x, &padding, fill)
}

impl LayerDef for Resizing {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let (input, alone) = super::images(cx, call, self.spatial)?;
        let x = cx.to_float(input)?;
        let mut out = fitted(cx, x, self.spatial, self.size, self.fit)?;
        for (axis, length) in self.spatial.axes().zip(self.size) {
            let length: Dim = cx.number(length);
            out = match self.grid {
                Grid::Middles => resize(cx, out, axis, length, self.interpolation, self.antialias)?,
                grid => resize_old(cx, out, axis, length, self.interpolation, grid)?,
            };
        }
        let out = if alone { cx.remove_axis(out, 0)? } else { out };
        Ok(vec![out.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if is_in_tensorflow_js(self.interpolation) {
            out.remove("antialias");
        }
        if !out.producer().is_tfjs() {
            out.warn(
                "TensorFlow.js predicts with this layer inside `TimeDistributed` only, and interpolates at other positions",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, Grid};
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_encoded, check_infer, check_program, check_refused, read_layer_of};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        let size = json!({"height": 5.0, "width": 6});
        check_infer("Resizing", size.clone(), &["?,?,9,3"], &["?,5,6,3"]);
        let crop = json!({"height": 5, "width": 6, "cropToAspectRatio": true, "interpolation": "bicubic"});
        check_infer("Resizing", crop, &["?,?,?,3"], &["?,5,6,3"]);
        let first = json!({"height": 5, "width": 6, "data_format": "channels_first", "interpolation": "area"});
        check_infer("Resizing", first, &["2,3,9,9"], &["2,3,5,6"]);
    }

    #[test]
    fn refuses() {
        let size = || json!({"height": 5, "width": 6});
        check_refused("Resizing", size(), &["?,9"], "expected an input of rank 4, found shape [?,9]");
        check_refused("Resizing", json!({"height": 5}), &[], "`config`: missing `width`");
        let message = "`config.height`: expected at least 1, found 0";
        check_refused("Resizing", json!({"height": 0, "width": 5}), &[], message);
        let mut config = size();
        config["interpolation"] = "cubic".into();
        check_refused("Resizing", config, &[], "`config.interpolation`: there is no interpolation `cubic`");
        let mut config = size();
        config["crop_to_aspect_ratio"] = true.into();
        config["pad_to_aspect_ratio"] = true.into();
        let message = "`config`: expected one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio`, found both";
        check_refused("Resizing", config, &[], message);
        let mut config = size();
        config["fill_mode"] = "wrap".into();
        config["pad_to_aspect_ratio"] = true.into();
        check_refused("Resizing", config, &[], "`config.fill_mode`: expected `constant`, found `wrap`");
    }

    #[test]
    fn the_producer_decides() {
        let read = |family, crop: bool| {
            let config = json!({"height": 5, "width": 6, "crop_to_aspect_ratio": crop});
            match read_layer_of(family, "Resizing", config).unwrap() {
                Layer::Resizing(layer) => (layer.fit, layer.grid),
                other => panic!("{other:?} is no resizing"),
            }
        };
        assert_eq!(read(Family::Keras3, false), (Fit::Stretch, Grid::Middles));
        assert_eq!(read(Family::Keras3, true), (Fit::Crop, Grid::Middles));
        assert_eq!(read(Family::TensorFlowJs, false), (Fit::Stretch, Grid::Corners));
        assert_eq!(read(Family::TensorFlowJs, true), (Fit::Stretch, Grid::Corner));
    }

    #[test]
    fn cropped() {
        let config = json!({"height": 4, "width": 2, "crop_to_aspect_ratio": true});
        check_program(
            "Resizing",
            config,
            &["int32 ?,4,6,3"],
            expect![[r#"
            input "x1": i32[batch,4,6,3]
            {
              %0 = input() {port=0} : i32[batch,4,6,3]
              %1 = cast(%0) {to=f32} : f32[batch,4,6,3]
              %2 = slice(%1) {ranges=[0|batch|1,0|4|1,2|2|1,0|3|1]} : f32[batch,4,2,3]
              return %2 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn padded_and_the_nearest() {
        let config = json!({"height": 4, "width": 2, "pad_to_aspect_ratio": true, "interpolation": "nearest"});
        check_program(
            "Resizing",
            config,
            &["int32 ?,4,6,3"],
            expect![[r#"
            input "x1": i32[batch,4,6,3]
            const const0: f32[] = [0.5]
            {
              %0 = input() {port=0} : i32[batch,4,6,3]
              %1 = cast(%0) {to=f32} : f32[batch,4,6,3]
              %2 = pad(%1) {padding=[0|0|0,4|4|0,0|0|0,0|0|0], value=0.0} : f32[batch,12,6,3]
              %3 = sizes() {sizes=[12], scalar=true, element=i64} : i64[]
              %4 = cast(%3) {to=f32} : f32[]
              %5 = sizes() {sizes=[4], scalar=true, element=i64} : i64[]
              %6 = cast(%5) {to=f32} : f32[]
              %7 = binary(%4, %6) {op=div} : f32[]
              %8 = iota() {axis=0, dims=[4], element=f32} : f32[4]
              %9 = const() {constant=const0} : f32[]
              %10 = binary(%8, %9) {op=add} : f32[4]
              %11 = binary(%10, %7) {op=mul} : f32[4]
              %12 = unary(%11) {op=floor} : f32[4]
              %13 = cast(%12) {to=i64} : i64[4]
              %14 = gather(%2, %13) {axis=1, bounds=clamp} : f32[batch,4,6,3]
              %15 = sizes() {sizes=[6], scalar=true, element=i64} : i64[]
              %16 = cast(%15) {to=f32} : f32[]
              %17 = sizes() {sizes=[2], scalar=true, element=i64} : i64[]
              %18 = cast(%17) {to=f32} : f32[]
              %19 = binary(%16, %18) {op=div} : f32[]
              %20 = iota() {axis=0, dims=[2], element=f32} : f32[2]
              %21 = binary(%20, %9) {op=add} : f32[2]
              %22 = binary(%21, %19) {op=mul} : f32[2]
              %23 = unary(%22) {op=floor} : f32[2]
              %24 = cast(%23) {to=i64} : i64[2]
              %25 = gather(%14, %24) {axis=2, bounds=clamp} : f32[batch,4,2,3]
              return %25 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn tensorflow_js_interpolates_at_other_positions() {
        let config = json!({"height": 4, "width": 2});
        let warning =
            "TensorFlow.js predicts with this layer inside `TimeDistributed` only, and interpolates at other positions";
        check_encoded(Family::Keras2, &json!([null, 8, 8, 3]), "Resizing", &config, &config, &[warning]);
    }
}
