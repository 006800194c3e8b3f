//! `EinsumDense`: `activation(einsum(equation, input, kernel) + bias)`, a dense layer over the axes of an equation.
//!
//! Reference: <https://keras.io/api/layers/core_layers/einsum_dense/>.

use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::einsum::{Equation, Label, Side};
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::low_rank::LowRank;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::{Dim, SymShape};
use serde_json::Value as Json;
use std::collections::HashMap;
use tfjs_ir::{Dim as Length, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A dense layer over labelled axes. Weights: `kernel` with the axes of the equation's second operand, `bias` with
/// those of `bias_axes`.
#[derive(Clone, Debug, PartialEq)]
pub struct EinsumDense {
    /// `input,kernel->output`.
    pub equation: Equation,
    /// The dimensions of the output without the batch and the axes of `...`; unknown ones are taken from the input.
    pub output_shape: Vec<Dim>,
    /// The axes of the output that the bias has; `None` for no bias.
    pub bias_axes: Option<Vec<char>>,
    /// The activation, applied last.
    pub activation: Last,
    /// Added to the kernel.
    pub update: Option<LowRank>,
}

/// A number, or a list of dimensions.
struct Dims(Vec<Dim>);

impl FromJson for Dims {
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::Array(_) => Vec::from_json(value).map(Dims),
            one => usize::from_json(one).map(|n| Dims(vec![Some(n)])),
        }
    }
}

impl FromConfig for EinsumDense {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let text: String = config.req("equation")?;
        let at = |e: Error| e.at_json("equation").at_json("config");
        let equation = Equation::parse(&text).map_err(at)?;
        if equation.operands() != 2 || equation.output().is_empty() {
            return Err(at(expected("an equation of an input and a kernel", &Json::String(text))));
        }
        let Dims(output_shape) = config.req("output_shape")?;
        let bias_axes: Option<String> = config.opt("bias_axes")?;
        config.inert(&["gptq_unpacked_column_size"]);
        Ok(EinsumDense {
            equation,
            output_shape,
            bias_axes: bias_axes.filter(|axes| !axes.is_empty()).map(|axes| axes.chars().collect()),
            activation: Last::read(config)?,
            update: LowRank::read(config)?,
        })
    }
}

impl EinsumDense {
    /// The dimensions of the output for an input, where the configuration determines them; unknown ones are `None`.
    fn configured(&self, cx: &LowerCx<'_>, x: Value) -> Result<Vec<Dim>> {
        let rank = cx.ty(x).rank();
        let elided = rank.saturating_sub(self.equation.operand(0).len());
        let mut dims = vec![None];
        if self.equation.elides() == Some(Side::First) {
            // SIZE: the rank of the input.
            dims.extend(std::iter::repeat_n(None, elided.saturating_sub(1)));
        }
        dims.extend(&self.output_shape);
        if self.equation.elides() == Some(Side::Last) {
            // SIZE: the rank of the input.
            dims.extend(std::iter::repeat_n(None, elided));
        }
        let letters = self.equation.output().len();
        let expect = letters + if self.equation.elides().is_some() { elided } else { 0 };
        if dims.len() == expect {
            return Ok(dims);
        }
        let (shape, input) = (SymShape(self.output_shape.clone()), cx.shape(x));
        Err(Error::malformed(format!("`output_shape` {shape} does not fit the equation for an input {input}")))
    }

    /// The lengths of the labelled axes, from the input and the configured output.
    fn lengths(&self, cx: &mut LowerCx<'_>, x: Value, output: &[Dim]) -> Result<HashMap<char, Length>> {
        let labels = self.equation.labels(&[cx.ty(x).rank(), self.equation.operand(1).len()])?;
        let mut lengths = HashMap::new();
        for (label, length) in labels.inputs[0].iter().zip(cx.dims_of(x)) {
            if let Label::Named(letter) = label {
                lengths.insert(*letter, length);
            }
        }
        for (label, dim) in labels.output.iter().zip(output) {
            let (Label::Named(letter), Some(n)) = (label, dim) else { continue };
            let said = cx.number(*n);
            let length = *lengths.entry(*letter).or_insert(said);
            if cx.same(length, said).is_none() {
                let (shape, input) = (SymShape(self.output_shape.clone()), cx.shape(x));
                return Err(Error::malformed(format!(
                    "`output_shape` {shape} does not fit an input {input} at axis `{letter}`"
                )));
            }
        }
        Ok(lengths)
    }

    /// The shape of the bias: from the first of its axes on, with length 1 for the axes it lacks.
    fn bias_shape(&self, cx: &LowerCx<'_>, axes: &[char], x: Value, lengths: &HashMap<char, Length>) -> Result<Shape> {
        let output = self.equation.output();
        let mut dims = Vec::new();
        for letter in &output {
            if axes.contains(letter) {
                dims.push(known(cx, lengths, *letter, x)?);
            } else if !dims.is_empty() {
                dims.push(1);
            }
        }
        if let Some(letter) = axes.iter().find(|letter| !output.contains(letter)) {
            let message = format!("`bias_axes` names `{letter}`, which the result of the equation does not have");
            return Err(Error::malformed(message).at_json("config"));
        }
        if self.equation.elides() == Some(Side::Last) {
            let elided = cx.ty(x).rank().saturating_sub(self.equation.operand(0).len());
            // SIZE: the rank of the input.
            dims.extend(std::iter::repeat_n(1, elided));
        }
        Shape::new(dims)
    }
}

/// The length of an axis of a weight, which must be known.
fn known(cx: &LowerCx<'_>, lengths: &HashMap<char, Length>, letter: char, x: Value) -> Result<usize> {
    match lengths.get(&letter) {
        Some(&length) => cx.known(length, &format!("axis `{letter}`"), x),
        None => Err(Error::malformed(format!("the length of axis `{letter}` of the equation is not known"))),
    }
}

impl LayerDef for EinsumDense {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let x = cx.to_float(input.value)?;
        let output = self.configured(cx, x)?;
        let lengths = self.lengths(cx, x, &output)?;
        let kernel = self.equation.operand(1);
        let dims = kernel.iter().map(|&letter| known(cx, &lengths, letter, x)).collect::<Result<Vec<_>>>()?;
        let shape = Shape::new(dims)?;
        let kernel = LowRank::weight(self.update, cx, WeightDecl::new("kernel", shape.clone()))?;
        let bias = match &self.bias_axes {
            Some(axes) => {
                let shape = self.bias_shape(cx, axes, x, &lengths)?;
                Some(cx.weight(WeightDecl::new("bias", shape))?)
            }
            None => None,
        };
        let kernel = LowRank::added(self.update, cx, kernel, "kernel", &shape)?;
        let kernel = cx.cast_like(kernel, x)?;
        let labels = self.equation.labels(&[cx.ty(x).rank(), cx.ty(kernel).rank()])?;
        if labels.inputs[0].first() != labels.output.first() {
            cx.mixes_batch();
        }
        let mut out = cx.einsum(&[x, kernel], &labels)?;
        if let Some(bias) = bias {
            let bias = cx.cast_like(bias, x)?;
            out = cx.add(out, bias)?;
        }
        let out = self.activation.lower(cx, out)?;
        Ok(vec![KerasTensor::from(out)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        LowRank::warn(self.update, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::{Value, json};

    fn config(equation: &str, output: Value, bias: Value) -> Value {
        json!({"equation": equation, "output_shape": output, "bias_axes": bias})
    }

    #[test]
    fn infers() {
        let infers = |config: Value, input: &str, output: &str| check_infer("EinsumDense", config, &[input], &[output]);
        infers(config("ab,bc->ac", json!(64), json!("c")), "?,32", "?,64");
        infers(config("abc,cd->abd", json!([null, 64.0]), json!(null)), "?,?,32", "?,?,64");
        infers(config("...x,xy->...y", json!(64), json!("y")), "?,?,7,32", "?,?,7,64");
        infers(config("abc,cde->abde", json!([null, 2, 3]), json!("de")), "?,?,4", "?,?,2,3");
        infers(config("abcd,cde->abe", json!([null, 5]), json!("e")), "?,?,2,3", "?,?,5");
        infers(config("ab...,bc->ac...", json!([5]), json!("c")), "?,4,6,?", "?,5,6,?");
        infers(config("abc,bd->adc", json!([7, 3]), json!("d")), "?,4,3", "?,7,3");
    }

    #[test]
    fn weights() {
        let check =
            |config: Value, input: &str, weights: &[&str]| check_weights("EinsumDense", config, &[input], weights);
        check(config("abc,cde->abde", json!([null, 2, 3]), json!("de")), "?,?,4", &["kernel[4,2,3]", "bias[2,3]"]);
        check(config("abc,cde->abde", json!([null, 2, 3]), json!("e")), "?,?,4", &["kernel[4,2,3]", "bias[3]"]);
        check(config("abc,cde->abde", json!([null, 2, 3]), json!("d")), "?,?,4", &["kernel[4,2,3]", "bias[2,1]"]);
        check(config("ab...,bc->ac...", json!([5]), json!("c")), "?,4,6", &["kernel[4,5]", "bias[5,1]"]);
        check(config("abc,bd->adc", json!([7, 3]), json!(null)), "?,4,3", &["kernel[4,7]"]);
    }

    #[test]
    fn refuses() {
        let refused =
            |config: Value, input: &str, message: &str| check_refused("EinsumDense", config, &[input], message);
        let message = "`config.equation`: expected an equation of an input and a kernel, found `\"ab->b\"`";
        refused(config("ab->b", json!(3), json!(null)), "?,3", message);
        let message = "axis `b` must be known, found shape [?,?]";
        refused(config("ab,bc->ac", json!(3), json!(null)), "?,?", message);
        let message = "operand 1 of the equation has 2 axes, found a tensor of rank 3";
        refused(config("ab,bc->ac", json!(3), json!(null)), "?,3,4", message);
        let message = "`output_shape` [?,3] does not fit the equation for an input [?,4]";
        refused(config("ab,bc->ac", json!([null, 3]), json!(null)), "?,4", message);
        let message = "`output_shape` [5,3] does not fit an input [?,4,2] at axis `b`";
        refused(config("abc,cd->abd", json!([5, 3]), json!(null)), "?,4,2", message);
        let message = "`config`: `bias_axes` names `b`, which the result of the equation does not have";
        refused(config("ab,bc->ac", json!(3), json!("b")), "?,4", message);
        let message = "the length of axis `d` of the equation is not known";
        refused(config("ab,bd->a", json!([]), json!(null)), "?,4", message);
    }
}
