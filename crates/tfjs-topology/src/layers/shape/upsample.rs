//! `UpSampling1D`, `2D`, `3D`: enlarges spatial axes, by repeating elements or, for images, by interpolation.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/up_sampling2d/>.

use crate::call::Call;
use crate::config::{Config, PerAxis};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::resample::{Interpolation, resize};
use crate::layers::spatial::{Spatial, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::{Dim as Length, Value};
use tfjs_manifest::{Error, Result};

/// Enlarges spatial axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct UpSampling {
    /// The axes.
    pub spatial: Spatial,
    /// The factor by which each axis is enlarged.
    pub size: Vec<usize>,
    /// The interpolation of new elements.
    pub interpolation: Interpolation,
}

impl FromConfig for UpSampling {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["UpSampling2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let count = count_of(class, &["UpSampling1D", "UpSampling2D", "UpSampling3D"])?;
        let spatial = Spatial::read(count, config)?;
        let size = spatial.each(&config.or("size", PerAxis::all(2))?, "size")?;
        if size.contains(&0) {
            return Err(Error::malformed("expected at least 1, found 0").at_json("size").at_json("config"));
        }
        let name: Option<String> = if spatial.count == 2 { config.opt("interpolation")? } else { None };
        let name = name.as_deref().unwrap_or("nearest");
        let interpolation = match Interpolation::of_name(name) {
            Some(Interpolation::Bilinear) if config.producer().is_tfjs() => Interpolation::BilinearFromCorner,
            Some(interpolation) => interpolation,
            None => {
                let message = format!("there is no interpolation `{name}`");
                return Err(Error::unsupported(message).at_json("interpolation").at_json("config"));
            }
        };
        Ok(UpSampling { spatial, size, interpolation })
    }
}

impl UpSampling {
    /// The factor by which an axis is enlarged.
    fn size(&self, axis: usize) -> usize {
        self.spatial.axes().position(|spatial| spatial == axis).map_or(1, |i| self.size[i])
    }

    /// The length of an enlarged axis.
    fn grown(&self, cx: &mut LowerCx<'_>, x: Value, axis: usize) -> Result<Length> {
        let (length, size) = (cx.dims_of(x)[axis], self.size(axis));
        let known = cx.known_dim(length).unwrap_or(1);
        if known.checked_mul(size).is_none_or(|n| n >= isize::MAX as usize) {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("{size} times the axes of shape {shape} are too large")));
        }
        let size = cx.number(size);
        cx.dims().mul(length, size)
    }

    /// Repeats each element along each axis.
    fn repeated(&self, cx: &mut LowerCx<'_>, x: Value, grown: &[Length]) -> Result<Value> {
        let (mut wide, mut axes) = (Vec::new(), Vec::new());
        for (axis, length) in cx.dims_of(x).into_iter().enumerate() {
            axes.push(wide.len());
            wide.push(length);
            if self.size(axis) > 1 {
                wide.push(cx.number(self.size(axis)));
            }
        }
        let repeated = cx.broadcast(x, &wide, &axes)?;
        cx.reshape(repeated, grown)
    }

    /// Interpolates along one axis after the other.
    fn between(&self, cx: &mut LowerCx<'_>, mut x: Value, grown: &[Length]) -> Result<Value> {
        for axis in self.spatial.axes() {
            x = resize(cx, x, axis, grown[axis], self.interpolation, false)?;
        }
        cx.to_float(x)
    }
}

impl LayerDef for UpSampling {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = self.spatial.value(cx, call)?.value;
        let rank = self.spatial.count + 2;
        let grown = (0..rank).map(|axis| self.grown(cx, x, axis)).collect::<Result<Vec<_>>>()?;
        let out = match self.interpolation {
            Interpolation::Nearest => self.repeated(cx, x, &grown)?,
            _ => self.between(cx, x, &grown)?,
        };
        Ok(vec![out.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        match self.interpolation {
            Interpolation::Nearest => {}
            Interpolation::Bilinear | Interpolation::BilinearFromCorner => {
                out.warn("TensorFlow.js has no `bilinear` interpolation, or another one of that name");
            }
            _ => out.warn("TensorFlow.js has no such `interpolation`"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_encoded, check_infer, check_program, check_program_of, check_refused, read_layer_of};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("UpSampling2D", json!({"size": [2.0, 3]}), &["?,4,?,3"], &["?,8,?,3"]);
        check_infer("UpSampling2D", json!({"dataFormat": "channelsFirst"}), &["?,3,4,5"], &["?,3,8,10"]);
        check_infer("UpSampling1D", json!({"size": 3}), &["?,4,2"], &["?,12,2"]);
    }

    #[test]
    fn the_producer_decides() {
        let read = |family| {
            let config = json!({"interpolation": "bilinear"});
            match read_layer_of(family, "UpSampling2D", config).unwrap() {
                Layer::UpSampling(layer) => layer.interpolation,
                other => panic!("{other:?} is no upsampling"),
            }
        };
        assert_eq!(read(Family::TensorFlowJs), Interpolation::BilinearFromCorner);
        assert_eq!(read(Family::Keras2), Interpolation::Bilinear);
        assert_eq!(read(Family::Keras3), Interpolation::Bilinear);
    }

    #[test]
    fn refuses() {
        check_refused("UpSampling2D", json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
        check_refused("UpSampling2D", json!({"size": 0}), &[], "`config.size`: expected at least 1, found 0");
        let message = "`config.interpolation`: there is no interpolation `cubic`";
        check_refused("UpSampling2D", json!({"interpolation": "cubic"}), &[], message);
    }

    #[test]
    fn repeated() {
        check_program(
            "UpSampling2D",
            json!({"size": [2, 1]}),
            &["int32 ?,4,?,3"],
            expect![[r#"
                input "x1": i32[batch,4,x1.2,3]
                guard at_least(x1.2, 1)
                {
                  %0 = input() {port=0} : i32[batch,4,x1.2,3]
                  %1 = broadcast(%0) {dims=[batch,4,2,x1.2,3], axes=[0,1,3,4]} : i32[batch,4,2,x1.2,3]
                  %2 = reshape(%1) {dims=[batch,8,x1.2,3]} : i32[batch,8,x1.2,3]
                  return %2 "y1"
                }
            "#]],
        );
        check_program(
            "UpSampling1D",
            json!({"size": 1}),
            &["?,4,3"],
            expect![[r#"
                input "x1": f32[batch,4,3]
                {
                  %0 = input() {port=0} : f32[batch,4,3]
                  return %0 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn between() {
        let config = json!({"size": [1, 2], "interpolation": "bilinear"});
        check_program(
            "UpSampling2D",
            config.clone(),
            &["?,4,?,3"],
            expect![[r#"
                input "x1": f32[batch,4,x1.2,3]
                const const0: f32[] = [0.5]
                const const1: f32[] = [0.0]
                const const2: i64[] = [1]
                guard at_least(x1.2, 1)
                {
                  %0 = input() {port=0} : f32[batch,4,x1.2,3]
                  %1 = sizes() {sizes=[x1.2], scalar=true, element=i64} : i64[]
                  %2 = cast(%1) {to=f32} : f32[]
                  %3 = sizes() {sizes=[2*x1.2], scalar=true, element=i64} : i64[]
                  %4 = cast(%3) {to=f32} : f32[]
                  %5 = binary(%2, %4) {op=div} : f32[]
                  %6 = iota() {axis=0, dims=[2*x1.2], element=f32} : f32[2*x1.2]
                  %7 = const() {constant=const0} : f32[]
                  %8 = binary(%6, %7) {op=add} : f32[2*x1.2]
                  %9 = binary(%8, %5) {op=mul} : f32[2*x1.2]
                  %10 = binary(%9, %7) {op=sub} : f32[2*x1.2]
                  %11 = const() {constant=const1} : f32[]
                  %12 = binary(%10, %11) {op=max} : f32[2*x1.2]
                  %13 = sizes() {sizes=[x1.2-1], scalar=true, element=i64} : i64[]
                  %14 = unary(%12) {op=floor} : f32[2*x1.2]
                  %15 = cast(%14) {to=i64} : i64[2*x1.2]
                  %16 = binary(%15, %13) {op=min} : i64[2*x1.2]
                  %17 = const() {constant=const2} : i64[]
                  %18 = binary(%16, %17) {op=add} : i64[2*x1.2]
                  %19 = binary(%18, %13) {op=min} : i64[2*x1.2]
                  %20 = cast(%16) {to=f32} : f32[2*x1.2]
                  %21 = binary(%12, %20) {op=sub} : f32[2*x1.2]
                  %22 = gather(%0, %16) {axis=2, bounds=clamp} : f32[batch,4,2*x1.2,3]
                  %23 = gather(%0, %19) {axis=2, bounds=clamp} : f32[batch,4,2*x1.2,3]
                  %24 = reshape(%21) {dims=[2*x1.2,1]} : f32[2*x1.2,1]
                  %25 = binary(%23, %22) {op=sub} : f32[batch,4,2*x1.2,3]
                  %26 = binary(%25, %24) {op=mul} : f32[batch,4,2*x1.2,3]
                  %27 = binary(%22, %26) {op=add} : f32[batch,4,2*x1.2,3]
                  return %27 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::TensorFlowJs,
            "UpSampling2D",
            config,
            &["?,4,5,3"],
            expect![[r#"
                input "x1": f32[batch,4,5,3]
                const const0: i64[] = [1]
                {
                  %0 = input() {port=0} : f32[batch,4,5,3]
                  %1 = sizes() {sizes=[5], scalar=true, element=i64} : i64[]
                  %2 = cast(%1) {to=f32} : f32[]
                  %3 = sizes() {sizes=[10], scalar=true, element=i64} : i64[]
                  %4 = cast(%3) {to=f32} : f32[]
                  %5 = binary(%2, %4) {op=div} : f32[]
                  %6 = iota() {axis=0, dims=[10], element=f32} : f32[10]
                  %7 = binary(%6, %5) {op=mul} : f32[10]
                  %8 = sizes() {sizes=[4], scalar=true, element=i64} : i64[]
                  %9 = unary(%7) {op=floor} : f32[10]
                  %10 = cast(%9) {to=i64} : i64[10]
                  %11 = binary(%10, %8) {op=min} : i64[10]
                  %12 = const() {constant=const0} : i64[]
                  %13 = binary(%11, %12) {op=add} : i64[10]
                  %14 = binary(%13, %8) {op=min} : i64[10]
                  %15 = cast(%11) {to=f32} : f32[10]
                  %16 = binary(%7, %15) {op=sub} : f32[10]
                  %17 = gather(%0, %11) {axis=2, bounds=clamp} : f32[batch,4,10,3]
                  %18 = gather(%0, %14) {axis=2, bounds=clamp} : f32[batch,4,10,3]
                  %19 = reshape(%16) {dims=[10,1]} : f32[10,1]
                  %20 = binary(%18, %17) {op=sub} : f32[batch,4,10,3]
                  %21 = binary(%20, %19) {op=mul} : f32[batch,4,10,3]
                  %22 = binary(%17, %21) {op=add} : f32[batch,4,10,3]
                  return %22 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let config = |how: &str| json!({"interpolation": how});
        let warning = "TensorFlow.js has no `bilinear` interpolation, or another one of that name";
        let image = json!([null, 4, 4, 3]);
        check_encoded(Family::Keras2, &image, "UpSampling2D", &config("bilinear"), &config("bilinear"), &[warning]);
        check_encoded(Family::Keras2, &image, "UpSampling2D", &config("nearest"), &config("nearest"), &[]);
        let warning = "TensorFlow.js has no such `interpolation`";
        check_encoded(Family::Keras2, &image, "UpSampling2D", &config("area"), &config("area"), &[warning]);
    }
}
