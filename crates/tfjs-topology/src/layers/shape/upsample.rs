//! `UpSampling1D`, `2D`, `3D`: larger spatial axes, by repeating elements or, for images, between them.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/up_sampling2d/>.

use crate::call::Call;
use crate::config::{Config, PerAxis};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::spatial::{Spatial, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::{Dim as Length, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Where new elements take their values from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interpolation {
    /// Each element repeated.
    Nearest,
    /// Between the two nearest, output `i` standing at `(i + 0.5) / size - 0.5`: Keras.
    Bilinear,
    /// Between the two nearest, output `i` standing at `i / size`: TensorFlow.js.
    BilinearFromCorner,
}

/// Larger spatial axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct UpSampling {
    /// The axes.
    pub spatial: Spatial,
    /// How many times larger each becomes.
    pub size: Vec<usize>,
    /// Where new elements take their values from.
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
        let interpolation = match name.as_deref() {
            None | Some("nearest") => Interpolation::Nearest,
            Some("bilinear") if config.producer().is_tfjs() => Interpolation::BilinearFromCorner,
            Some("bilinear") => Interpolation::Bilinear,
            Some(other) => {
                let message = format!("interpolation `{other}` is not supported, `nearest` and `bilinear` are");
                return Err(Error::unsupported(message).at_json("interpolation").at_json("config"));
            }
        };
        Ok(UpSampling { spatial, size, interpolation })
    }
}

impl UpSampling {
    /// How many times larger an axis becomes.
    fn size(&self, axis: usize) -> usize {
        self.spatial.axes().position(|spatial| spatial == axis).map_or(1, |i| self.size[i])
    }

    /// The length an axis will have.
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

    /// Each element repeated along each axis.
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

    /// Linear interpolation along one axis after the other.
    fn between(&self, cx: &mut LowerCx<'_>, x: Value, grown: &[Length], center: f64) -> Result<Value> {
        let larger = self.spatial.axes().filter(|&axis| self.size(axis) > 1);
        let mut x = cx.to_float(x)?;
        for axis in larger {
            let neighbours = neighbours(cx, cx.ty(x).dims[axis], grown[axis], self.size(axis), center)?;
            x = interpolate(cx, x, axis, neighbours)?;
        }
        Ok(x)
    }
}

/// The two elements each output of an axis stands between, and how far it is from the first: 1 at the second.
struct Neighbours {
    below: Value,
    above: Value,
    distance: Value,
}

/// Output `i` stands at `(i + center) / size - center`.
fn neighbours(cx: &mut LowerCx<'_>, length: Length, outputs: Length, size: usize, center: f64) -> Result<Neighbours> {
    let last = cx.dims().sub(length, Length::ONE)?;
    let last = cx.size(last, ElementType::I64)?;
    let mut at = cx.iota(0, &[outputs], ElementType::F32)?;
    if center != 0.0 {
        at = cx.binary_scalar(BinaryOp::Add, at, center)?;
    }
    at = cx.binary_scalar(BinaryOp::Div, at, size as f64)?;
    if center != 0.0 {
        at = cx.binary_scalar(BinaryOp::Sub, at, center)?;
        at = cx.binary_scalar(BinaryOp::Max, at, 0.0)?;
    }
    let below = cx.unary(UnaryOp::Floor, at)?;
    let below = cx.cast(below, ElementType::I64)?;
    let below = cx.binary(BinaryOp::Min, below, last)?;
    let above = cx.binary_scalar(BinaryOp::Add, below, 1.0)?;
    let above = cx.binary(BinaryOp::Min, above, last)?;
    let start = cx.cast(below, ElementType::F32)?;
    let distance = cx.sub(at, start)?;
    Ok(Neighbours { below, above, distance })
}

fn interpolate(cx: &mut LowerCx<'_>, x: Value, axis: usize, neighbours: Neighbours) -> Result<Value> {
    let Neighbours { below, above, distance } = neighbours;
    let low = cx.gather(x, below, axis, Bounds::Clamp)?;
    let high = cx.gather(x, above, axis, Bounds::Clamp)?;
    let mut dims = cx.dims_of(distance);
    dims.resize(cx.ty(x).rank() - axis, Length::ONE);
    let distance = cx.reshape(distance, &dims)?;
    let distance = cx.cast_like(distance, x)?;
    let step = cx.sub(high, low)?;
    let step = cx.mul(step, distance)?;
    cx.add(low, step)
}

impl LayerDef for UpSampling {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = self.spatial.value(cx, call)?.value;
        let rank = self.spatial.count + 2;
        let grown = (0..rank).map(|axis| self.grown(cx, x, axis)).collect::<Result<Vec<_>>>()?;
        let out = match self.interpolation {
            Interpolation::Nearest => self.repeated(cx, x, &grown)?,
            Interpolation::Bilinear => self.between(cx, x, &grown, 0.5)?,
            Interpolation::BilinearFromCorner => self.between(cx, x, &grown, 0.0)?,
        };
        Ok(vec![out.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.interpolation != Interpolation::Nearest {
            out.warn("TensorFlow.js has no `bilinear` interpolation, or another one of that name");
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
        let message = "`config.interpolation`: interpolation `bicubic` is not supported, `nearest` and `bilinear` are";
        check_refused("UpSampling2D", json!({"interpolation": "bicubic"}), &[], message);
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
                const const1: f32[] = [2.0]
                const const2: f32[] = [0.0]
                const const3: i64[] = [1]
                guard at_least(x1.2, 1)
                {
                  %0 = input() {port=0} : f32[batch,4,x1.2,3]
                  %1 = sizes() {sizes=[x1.2-1], scalar=true, element=i64} : i64[]
                  %2 = iota() {axis=0, dims=[2*x1.2], element=f32} : f32[2*x1.2]
                  %3 = const() {constant=const0} : f32[]
                  %4 = binary(%2, %3) {op=add} : f32[2*x1.2]
                  %5 = const() {constant=const1} : f32[]
                  %6 = binary(%4, %5) {op=div} : f32[2*x1.2]
                  %7 = binary(%6, %3) {op=sub} : f32[2*x1.2]
                  %8 = const() {constant=const2} : f32[]
                  %9 = binary(%7, %8) {op=max} : f32[2*x1.2]
                  %10 = unary(%9) {op=floor} : f32[2*x1.2]
                  %11 = cast(%10) {to=i64} : i64[2*x1.2]
                  %12 = binary(%11, %1) {op=min} : i64[2*x1.2]
                  %13 = const() {constant=const3} : i64[]
                  %14 = binary(%12, %13) {op=add} : i64[2*x1.2]
                  %15 = binary(%14, %1) {op=min} : i64[2*x1.2]
                  %16 = cast(%12) {to=f32} : f32[2*x1.2]
                  %17 = binary(%9, %16) {op=sub} : f32[2*x1.2]
                  %18 = gather(%0, %12) {axis=2, bounds=clamp} : f32[batch,4,2*x1.2,3]
                  %19 = gather(%0, %15) {axis=2, bounds=clamp} : f32[batch,4,2*x1.2,3]
                  %20 = reshape(%17) {dims=[2*x1.2,1]} : f32[2*x1.2,1]
                  %21 = binary(%19, %18) {op=sub} : f32[batch,4,2*x1.2,3]
                  %22 = binary(%21, %20) {op=mul} : f32[batch,4,2*x1.2,3]
                  %23 = binary(%18, %22) {op=add} : f32[batch,4,2*x1.2,3]
                  return %23 "y1"
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
                const const0: f32[] = [2.0]
                const const1: i64[] = [1]
                {
                  %0 = input() {port=0} : f32[batch,4,5,3]
                  %1 = sizes() {sizes=[4], scalar=true, element=i64} : i64[]
                  %2 = iota() {axis=0, dims=[10], element=f32} : f32[10]
                  %3 = const() {constant=const0} : f32[]
                  %4 = binary(%2, %3) {op=div} : f32[10]
                  %5 = unary(%4) {op=floor} : f32[10]
                  %6 = cast(%5) {to=i64} : i64[10]
                  %7 = binary(%6, %1) {op=min} : i64[10]
                  %8 = const() {constant=const1} : i64[]
                  %9 = binary(%7, %8) {op=add} : i64[10]
                  %10 = binary(%9, %1) {op=min} : i64[10]
                  %11 = cast(%7) {to=f32} : f32[10]
                  %12 = binary(%4, %11) {op=sub} : f32[10]
                  %13 = gather(%0, %7) {axis=2, bounds=clamp} : f32[batch,4,10,3]
                  %14 = gather(%0, %10) {axis=2, bounds=clamp} : f32[batch,4,10,3]
                  %15 = reshape(%12) {dims=[10,1]} : f32[10,1]
                  %16 = binary(%14, %13) {op=sub} : f32[batch,4,10,3]
                  %17 = binary(%16, %15) {op=mul} : f32[batch,4,10,3]
                  %18 = binary(%13, %17) {op=add} : f32[batch,4,10,3]
                  return %18 "y1"
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
    }
}
