//! `Normalization`: `(input - mean) / max(sqrt(variance), 1e-7)`, or the inverse, by known statistics of the data.
//!
//! Reference: <https://keras.io/api/layers/preprocessing_layers/numerical/normalization/>.

use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::axes::Axes;
use crate::layers::masks::{self, MaskRule};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::{Array, Data, Dim, ElementType, Value};
use tfjs_manifest::{DType, Error, Result, Shape};

/// Keras's fuzz factor, which prevents a division by 0.
const FUZZ: f64 = 1e-7;

/// A normalization by known statistics. Weights, unless the configuration contains the statistics: `mean`, `variance`,
/// each with the dimensions of the axes, and `count`, which is read only by `adapt`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// The axes with separate statistics; if empty, one mean and variance for everything.
    pub axes: Vec<i64>,
    /// Mean and variance, if they are not weights.
    pub given: Option<(Statistic, Statistic)>,
    /// Whether it inverts the normalization.
    pub invert: bool,
    /// How masks are propagated.
    pub mask: MaskRule,
}

/// Nested numbers of a configuration: their dimensions, and the numbers in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistic {
    /// The dimensions.
    pub dims: Vec<usize>,
    /// The numbers.
    pub numbers: Vec<f64>,
}

impl FromJson for Statistic {
    fn from_json(value: &Json) -> Result<Self> {
        let Some(items) = value.as_array() else {
            return Ok(Statistic { dims: Vec::new(), numbers: vec![f64::from_json(value)?] });
        };
        let items = items.iter().map(Statistic::from_json).collect::<Result<Vec<_>>>()?;
        let first = items.first().ok_or_else(|| expected("numbers", value))?.dims.clone();
        if items.iter().any(|item| item.dims != first) {
            return Err(expected("lists of the same length", value));
        }
        let dims = [&[items.len()], &first[..]].concat();
        Ok(Statistic { dims, numbers: items.into_iter().flat_map(|item| item.numbers).collect() })
    }
}

impl Statistic {
    /// The numbers as a constant that broadcasts by NumPy's rule.
    fn constant(&self, cx: &mut LowerCx<'_>) -> Result<Value> {
        let ones = self.dims.iter().take_while(|&&n| n == 1).count();
        let dims = self.dims[ones.min(self.dims.len().saturating_sub(1))..].to_vec();
        cx.constant(Array::new(ElementType::F32, dims, Data::Float(self.numbers.clone()))?)
    }
}

impl FromConfig for Normalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // Null means no axes, an absent key the last axis.
        let axes = match config.map().get("axis") {
            Some(Json::Null) => Vec::new(),
            Some(Json::Array(axes)) if axes.is_empty() => Vec::new(),
            _ => config.or("axis", Axes(vec![-1]))?.0,
        };
        config.inert(&["axis"]);
        let given = match (config.opt("mean")?, config.opt("variance")?) {
            (Some(mean), Some(variance)) => Some((mean, variance)),
            (None, None) => None,
            _ => return Err(Error::malformed("expected both `mean` and `variance`, found one").at_json("config")),
        };
        let mask = if config.producer().is_keras3() { MaskRule::Pass } else { MaskRule::Stop };
        Ok(Normalization { axes, given, invert: config.or("invert", false)?, mask })
    }
}

impl Normalization {
    /// Mean and variance, each with the dimensions of the axes.
    fn statistics(&self, cx: &mut LowerCx<'_>, lengths: &[usize]) -> Result<(Value, Value)> {
        if let Some((mean, variance)) = &self.given {
            return Ok((mean.constant(cx)?, variance.constant(cx)?));
        }
        let shape = Shape::new(lengths.to_vec())?;
        let mean = cx.weight(WeightDecl::new("mean", shape.clone()).frozen())?;
        let variance = cx.weight(WeightDecl::new("variance", shape).frozen().ones())?;
        let count = WeightDecl::new("count", Shape::new([])?).frozen();
        cx.weight(WeightDecl { dtype: DType::Int32, ..count })?;
        Ok((mean, variance))
    }
}

impl LayerDef for Normalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let mut axes = match self.axes[..] {
            [] => Vec::new(),
            _ => Axes(self.axes.clone()).of(cx, input.value)?,
        };
        axes.sort_unstable();
        let lengths = super::lengths(cx, input.value, &axes)?;
        let (mean, variance) = self.statistics(cx, &lengths)?;
        let x = cx.to_float(input.value)?;
        let kept: Vec<Dim> = lengths.iter().map(|&n| cx.number(n)).collect();
        let mut laid = [mean, variance];
        for statistic in &mut laid {
            if !fits(&cx.dims_of(*statistic), &kept) {
                let (found, shape) = (cx.shape(*statistic), cx.shape(x));
                let message = format!("statistics of shape {found} do not fit the axes of an input {shape}");
                return Err(Error::malformed(message));
            }
            let whole = cx.broadcast_to(*statistic, &kept)?;
            *statistic = if axes.is_empty() { whole } else { super::spread(cx, whole, x, &axes)? };
            *statistic = cx.cast_like(*statistic, x)?;
        }
        let [mean, variance] = laid;
        let deviation = cx.unary(UnaryOp::Sqrt, variance)?;
        let deviation = cx.binary_scalar(BinaryOp::Max, deviation, FUZZ)?;
        let out = if self.invert {
            let spread = cx.mul(x, deviation)?;
            cx.add(mean, spread)?
        } else {
            let centered = cx.sub(x, mean)?;
            cx.div(centered, deviation)?
        };
        let mask = masks::combined(cx, self.mask, &[input])?;
        Ok(vec![KerasTensor::from(out).with_mask(mask)])
    }
}

/// Whether dimensions broadcast to others by NumPy's rule.
fn fits(dims: &[Dim], to: &[Dim]) -> bool {
    dims.len() <= to.len() && dims.iter().rev().zip(to.iter().rev()).all(|(&from, &to)| from == to || from == Dim::ONE)
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_program, check_program_of, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Normalization", json!({}), &["?,?,3"], &["?,?,3"]);
        check_weights("Normalization", json!({}), &["?,?,3"], &["mean[3]", "variance[3]", "count[]"]);
        let weights = ["mean[4,3]", "variance[4,3]", "count[]"];
        check_weights("Normalization", json!({"axis": [-1, 1.0]}), &["?,4,3"], &weights);
        check_weights("Normalization", json!({"axis": null}), &["?,?"], &["mean[]", "variance[]", "count[]"]);
        check_weights("Normalization", json!({"mean": 1, "variance": [[2.0, 3]]}), &["?,2"], &[]);
    }

    #[test]
    fn refuses() {
        let message = "the normalized axis must be known, found shape [?,?]";
        check_refused("Normalization", json!({}), &["?,?"], message);
        let message = "`config`: expected both `mean` and `variance`, found one";
        check_refused("Normalization", json!({"mean": 1}), &[], message);
        let message = "statistics of shape [2] do not fit the axes of an input [?,3]";
        check_refused("Normalization", json!({"mean": [1, 2], "variance": [1, 2]}), &["?,3"], message);
        let message = "`config.mean`: expected lists of the same length, found `[[1],[1,2]]`";
        check_refused("Normalization", json!({"mean": [[1], [1, 2]], "variance": 1}), &[], message);
        let message = "`config.mean`: expected numbers, found `[]`";
        check_refused("Normalization", json!({"mean": [], "variance": []}), &[], message);
    }

    #[test]
    fn statistics_are_weights_or_given() {
        check_program(
            "Normalization",
            json!({"axis": 1}),
            &["int32 ?,4,? masked"],
            expect![[r#"
            input "x1": i32[batch,4,x1.2]
            input "x1.mask": bool[batch,4]
            slot slot0 "/mean": f32[4]
            slot slot1 "/variance": f32[4]
            slot slot2 "/count": i32[]
            const const0: f32[] = [1.0000000116860974e-7]
            {
              %0 = input() {port=0} : i32[batch,4,x1.2]
              %1 = input() {port=1} : bool[batch,4]
              %2 = param() {slot=slot0} : f32[4]
              %3 = param() {slot=slot1} : f32[4]
              %4 = param() {slot=slot2} : i32[]
              %5 = cast(%0) {to=f32} : f32[batch,4,x1.2]
              %6 = reshape(%2) {dims=[4,1]} : f32[4,1]
              %7 = reshape(%3) {dims=[4,1]} : f32[4,1]
              %8 = unary(%7) {op=sqrt} : f32[4,1]
              %9 = const() {constant=const0} : f32[]
              %10 = binary(%8, %9) {op=max} : f32[4,1]
              %11 = binary(%5, %6) {op=sub} : f32[batch,4,x1.2]
              %12 = binary(%11, %10) {op=div} : f32[batch,4,x1.2]
              return %12 "y1"
            }
        "#]],
        );
        let config = json!({"mean": [[1, 2, 3]], "variance": 4, "invert": true});
        check_program_of(
            Family::Keras3,
            "Normalization",
            config,
            &["?,?,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            input "x1.mask": bool[batch,x1.1]
            const const0: f32[3] = [1.0,2.0,3.0]
            const const1: f32[] = [4.0]
            const const2: f32[] = [1.0000000116860974e-7]
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = const() {constant=const0} : f32[3]
              %3 = const() {constant=const1} : f32[]
              %4 = broadcast(%3) {dims=[3], axes=[]} : f32[3]
              %5 = unary(%4) {op=sqrt} : f32[3]
              %6 = const() {constant=const2} : f32[]
              %7 = binary(%5, %6) {op=max} : f32[3]
              %8 = binary(%0, %7) {op=mul} : f32[batch,x1.1,3]
              %9 = binary(%2, %8) {op=add} : f32[batch,x1.1,3]
              return %9 "y1", %1 "y1.mask"
            }
        "#]],
        );
    }
}
