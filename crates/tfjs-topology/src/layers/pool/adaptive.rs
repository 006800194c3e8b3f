//! `AdaptiveAveragePooling1D`, `2D`, `3D`, `AdaptiveMaxPooling1D`, `2D`, `3D` of Keras 3: pools whose windows are
//! determined by the size of the output.
//!
//! Output `o` of `outputs` covers the elements from `floor(o * inputs / outputs)` to
//! `ceil((o + 1) * inputs / outputs)`.
//!
//! Reference: <https://keras.io/api/layers/pooling_layers/>.

use super::PoolKind;
use crate::call::Call;
use crate::config::{Config, PerAxis};
use crate::layer::LayerDef;
use crate::layers::resample::weigh;
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A pool to a given output size. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptivePool {
    /// How elements are combined.
    pub kind: PoolKind,
    /// The axes.
    pub spatial: Spatial,
    /// The output length of each axis, at least 1.
    pub size: Vec<usize>,
}

impl FromConfig for AdaptivePool {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (kind, count) = super::kind_and_count(
            class,
            ["AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D"],
            ["AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D"],
        )?;
        let spatial = Spatial::read(count, config)?;
        let size: PerAxis = config.req("output_size")?;
        let size = spatial.each(&size, "output_size")?;
        if size.contains(&0) {
            return Err(Error::malformed("expected at least 1, found 0").at_json("output_size").at_json("config"));
        }
        Ok(AdaptivePool { kind, spatial, size })
    }
}

/// The first element and the end of each window, `[outputs, 1]`.
fn windows(cx: &mut LowerCx<'_>, inputs: Dim, outputs: usize) -> Result<(Value, Value)> {
    let dims = [cx.number(outputs), Dim::ONE];
    let output = cx.iota(0, &dims, ElementType::I64)?;
    let (start, end) = match cx.known_dim(inputs) {
        Some(inputs) => {
            let start = cx.binary_scalar(BinaryOp::Mul, output, inputs as f64)?;
            (start, cx.binary_scalar(BinaryOp::Add, start, (inputs + outputs - 1) as f64)?)
        }
        None => {
            let length = cx.size(inputs, ElementType::I64)?;
            let start = cx.mul(output, length)?;
            let end = cx.add(start, length)?;
            (start, cx.binary_scalar(BinaryOp::Add, end, (outputs - 1) as f64)?)
        }
    };
    let first = cx.binary_scalar(BinaryOp::FloorDiv, start, outputs as f64)?;
    Ok((first, cx.binary_scalar(BinaryOp::FloorDiv, end, outputs as f64)?))
}

/// The mean of each window along an axis.
fn mean(cx: &mut LowerCx<'_>, x: Value, axis: usize, outputs: usize) -> Result<Value> {
    let inputs = cx.dims_of(x)[axis];
    let (first, end) = windows(cx, inputs, outputs)?;
    let dims = [Dim::ONE, inputs];
    let position = cx.iota(1, &dims, ElementType::I64)?;
    let after = cx.compare(CompareOp::Ge, position, first)?;
    let before = cx.compare(CompareOp::Lt, position, end)?;
    let inside = cx.binary(BinaryOp::And, after, before)?;
    let inside = cx.cast(inside, ElementType::F32)?;
    let size = cx.sub(end, first)?;
    let size = cx.cast(size, ElementType::F32)?;
    let weights = cx.div(inside, size)?;
    weigh(cx, x, axis, weights)
}

/// The largest element of each window along an axis. A shorter window sees its last element several times.
fn largest(cx: &mut LowerCx<'_>, x: Value, axis: usize, outputs: usize) -> Result<Value> {
    let inputs = cx.dims_of(x)[axis];
    let (first, end) = windows(cx, inputs, outputs)?;
    let longest = cx.dims().div_ceil(inputs, outputs as u64)?;
    let longest = cx.dims().add(longest, Dim::ONE)?;
    let outputs = cx.number(outputs);
    let dims = [Dim::ONE, longest];
    let step = cx.iota(1, &dims, ElementType::I64)?;
    let at = cx.add(first, step)?;
    let last = cx.binary_scalar(BinaryOp::Sub, end, 1.0)?;
    let at = cx.binary(BinaryOp::Min, at, last)?;
    let all = cx.dims().mul(outputs, longest)?;
    let at = cx.reshape(at, &[all])?;
    let seen = cx.gather(x, at, axis, Bounds::Clamp)?;
    let mut dims = cx.dims_of(seen);
    dims.splice(axis..=axis, [outputs, longest]);
    let apart = cx.reshape(seen, &dims)?;
    cx.reduce(ReduceOp::Max, apart, &[axis + 1], false)
}

impl LayerDef for AdaptivePool {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.spatial.value(cx, call)?.value;
        let mut x = cx.to_float(input)?;
        for (axis, &outputs) in self.spatial.axes().zip(&self.size) {
            x = match self.kind {
                PoolKind::Average => mean(cx, x, axis, outputs)?,
                PoolKind::Max => largest(cx, x, axis, outputs)?,
            };
        }
        Ok(vec![x.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_program_of, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("AdaptiveAveragePooling2D", json!({"output_size": [3, 2.0]}), &["?,9,7,4"], &["?,3,2,4"]);
        let first = json!({"outputSize": 2, "data_format": "channels_first"});
        check_infer("AdaptiveMaxPooling3D", first, &["?,4,3,3,9"], &["?,4,2,2,2"]);
        check_infer("AdaptiveMaxPooling1D", json!({"output_size": 3}), &["?,?,4"], &["?,3,4"]);
        check_infer("AdaptiveAveragePooling2D", json!({"output_size": 3}), &["?,?,?,4"], &["?,3,3,4"]);
        let message = "`config.output_size`: expected at least 1, found 0";
        check_refused("AdaptiveAveragePooling1D", json!({"output_size": 0}), &[], message);
        check_refused("AdaptiveMaxPooling2D", json!({}), &[], "`config`: missing `output_size`");
    }

    #[test]
    fn means_are_weights_and_the_largest_are_looked_up() {
        let size = json!({"output_size": [3]});
        let class = "AdaptiveAveragePooling1D";
        check_program_of(
            Family::Keras3,
            class,
            size.clone(),
            &["?,7,2"],
            expect![[r#"
            input "x1": f32[batch,7,2]
            const const0: i64[] = [7]
            const const1: i64[] = [9]
            const const2: i64[] = [3]
            {
              %0 = input() {port=0} : f32[batch,7,2]
              %1 = iota() {axis=0, dims=[3,1], element=i64} : i64[3,1]
              %2 = const() {constant=const0} : i64[]
              %3 = binary(%1, %2) {op=mul} : i64[3,1]
              %4 = const() {constant=const1} : i64[]
              %5 = binary(%3, %4) {op=add} : i64[3,1]
              %6 = const() {constant=const2} : i64[]
              %7 = binary(%3, %6) {op=floor_div} : i64[3,1]
              %8 = binary(%5, %6) {op=floor_div} : i64[3,1]
              %9 = iota() {axis=1, dims=[1,7], element=i64} : i64[1,7]
              %10 = compare(%9, %7) {op=ge} : bool[3,7]
              %11 = compare(%9, %8) {op=lt} : bool[3,7]
              %12 = binary(%10, %11) {op=and} : bool[3,7]
              %13 = cast(%12) {to=f32} : f32[3,7]
              %14 = binary(%8, %7) {op=sub} : i64[3,1]
              %15 = cast(%14) {to=f32} : f32[3,1]
              %16 = binary(%13, %15) {op=div} : f32[3,7]
              %17 = dot(%0, %16) {batch=[], contract=[(1,1)]} : f32[batch,2,3]
              %18 = transpose(%17) {order=[0,2,1]} : f32[batch,3,2]
              return %18 "y1"
            }
        "#]],
        );
        check_program_of(
            Family::Keras3,
            "AdaptiveMaxPooling1D",
            size,
            &["?,7,2"],
            expect![[r#"
            input "x1": f32[batch,7,2]
            const const0: i64[] = [7]
            const const1: i64[] = [9]
            const const2: i64[] = [3]
            const const3: i64[] = [1]
            {
              %0 = input() {port=0} : f32[batch,7,2]
              %1 = iota() {axis=0, dims=[3,1], element=i64} : i64[3,1]
              %2 = const() {constant=const0} : i64[]
              %3 = binary(%1, %2) {op=mul} : i64[3,1]
              %4 = const() {constant=const1} : i64[]
              %5 = binary(%3, %4) {op=add} : i64[3,1]
              %6 = const() {constant=const2} : i64[]
              %7 = binary(%3, %6) {op=floor_div} : i64[3,1]
              %8 = binary(%5, %6) {op=floor_div} : i64[3,1]
              %9 = iota() {axis=1, dims=[1,4], element=i64} : i64[1,4]
              %10 = binary(%7, %9) {op=add} : i64[3,4]
              %11 = const() {constant=const3} : i64[]
              %12 = binary(%8, %11) {op=sub} : i64[3,1]
              %13 = binary(%10, %12) {op=min} : i64[3,4]
              %14 = reshape(%13) {dims=[12]} : i64[12]
              %15 = gather(%0, %14) {axis=1, bounds=clamp} : f32[batch,12,2]
              %16 = reshape(%15) {dims=[batch,3,4,2]} : f32[batch,3,4,2]
              %17 = reduce(%16) {op=max, axes=[2], keep=false} : f32[batch,3,2]
              return %17 "y1"
            }
        "#]],
        );
    }
}
