//! `TimeDistributed`: a layer or model applied to every time step.
//!
//! Reference: <https://keras.io/api/layers/recurrent_layers/time_distributed/>.

use crate::call::Call;
use crate::config::{Config, missing};
use crate::def::LayerEntry;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, Scope, ScopeKind};
use crate::lower::{KerasTensor, LowerCx};
use crate::parse::entry::read_held;
use crate::producer::Family;
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// A layer or model applied to every time step: it is called with `[batch * time, ..]` instead of `[batch, time, ..]`.
/// Weights: those of the inner layer.
#[derive(Clone, Debug)]
pub struct TimeDistributed {
    /// The layer or model.
    pub inner: LayerEntry,
    /// Whether the output has the mask of the inner layer's output, if there is one: Keras 2. Otherwise it
    /// has the input's.
    pub inner_mask: bool,
    /// Whether time is folded into an unknown batch even if the inner layer mixes the entries of a batch: Keras 2.
    /// Otherwise the layer is called step by step.
    pub folds_open_batch: bool,
}

impl FromConfig for TimeDistributed {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["TimeDistributed"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let keras2 = matches!(config.producer().family, Family::Keras1 | Family::Keras2);
        let inner = read_held(config, "layer")?.ok_or_else(|| missing("layer").at_json("config"))?;
        Ok(TimeDistributed { inner, inner_mask: keras2, folds_open_batch: keras2 })
    }
}

impl TimeDistributed {
    /// The dimensions `[batch, time]` of the first input.
    fn steps(&self, cx: &LowerCx<'_>, call: &Call<KerasTensor>) -> Result<[Dim; 2]> {
        let mut steps = None;
        for input in call.inputs() {
            let &[batch, time, _, ..] = &cx.ty(input.value).dims[..] else {
                let shape = cx.shape(input.value);
                return Err(Error::malformed(format!("expected an input of rank 3 or more, found shape {shape}")));
            };
            steps.get_or_insert([batch, time]);
        }
        steps.ok_or_else(|| Error::malformed("expected an input, found none"))
    }

    /// Fails if folding time into the batch would differ from what the producer computes.
    fn check_folding(&self, cx: &LowerCx<'_>, batch: Dim, pointwise: bool) -> Result<()> {
        if pointwise || (self.folds_open_batch && cx.known_dim(batch).is_none()) {
            return Ok(());
        }
        let name = &self.inner.name;
        Err(Error::unsupported(format!(
            "the layer inside of `TimeDistributed` mixes the entries of a batch (`{name}`), which is not supported"
        )))
    }

    /// Splits the time axis of an output of the inner layer from the batch. `mask` is the input's.
    fn unfold(
        &self,
        cx: &mut LowerCx<'_>,
        output: &KerasTensor,
        steps: [Dim; 2],
        mask: Option<Value>,
    ) -> Result<KerasTensor> {
        let value = unfold(cx, output.value, steps)?;
        let mask = match output.mask {
            Some(inner) if self.inner_mask => Some(unfold(cx, inner, steps)?),
            _ if self.inner_mask => mask.map(|mask| of_steps(cx, mask)).transpose()?,
            _ => mask,
        };
        Ok(KerasTensor::from(value).with_mask(mask))
    }
}

/// `[batch, time, ..]` as `[batch * time, ..]`.
fn fold(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let mut dims = cx.dims_of(x);
    let rows = cx.dims().product(&dims[..2])?;
    dims.splice(..2, [rows]);
    cx.reshape(x, &dims)
}

/// `[batch * time, ..]` as `[batch, time, ..]`.
fn unfold(cx: &mut LowerCx<'_>, x: Value, steps: [Dim; 2]) -> Result<Value> {
    let mut dims = cx.dims_of(x);
    if dims.is_empty() {
        return Err(Error::malformed("expected outputs of rank 1 or more from the inner layer, found numbers"));
    }
    dims.splice(..1, steps);
    cx.reshape(x, &dims)
}

/// The input of one time step.
fn one_step(ty: &TensorType) -> TensorType {
    let mut dims = ty.shape.0.clone();
    if dims.len() > 1 {
        dims.remove(1);
    }
    ty.with_shape(dims)
}

/// The steps that a mask does not mask completely.
fn of_steps(cx: &mut LowerCx<'_>, mask: Value) -> Result<Value> {
    let inside: Vec<usize> = (2..cx.ty(mask).rank()).collect();
    cx.reduce(ReduceOp::Any, mask, &inside, false)
}

impl LayerDef for TimeDistributed {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let steps = self.steps(cx, call)?;
        let inputs = call.inputs();
        let mask = inputs.first().and_then(|input| input.mask);
        let mut folded = Vec::with_capacity(inputs.len());
        for input in inputs {
            // A mask of whole steps does not apply inside a step.
            let mask = input.mask.filter(|&mask| cx.ty(mask).rank() > 2);
            let mask = mask.map(|mask| fold(cx, mask)).transpose()?;
            folded.push(KerasTensor::from(fold(cx, input.value)?).with_mask(mask));
        }
        let name = self.inner.name.clone();
        let scope = Scope { name, attr: "layer".to_string(), kind: ScopeKind::Wrapped };
        let (outputs, pointwise) = cx.is_pointwise(|cx| cx.lower_inner(&self.inner, scope, Call::of(folded)))?;
        self.check_folding(cx, steps[0], pointwise)?;
        outputs.iter().map(|output| self.unfold(cx, output, steps, mask)).collect()
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        let calls: Vec<Vec<TensorType>> =
            out.calls().iter().map(|inputs| inputs.iter().map(one_step).collect()).collect();
        let inner = out.held(&self.inner, &calls)?;
        out.set("layer", inner);
        let shapes = |inputs: &[TensorType]| -> Vec<SymShape> {
            inputs.iter().map(|ty| SymShape(ty.shape.dims().iter().skip(1).copied().collect())).collect()
        };
        if out.calls().windows(2).any(|pair| shapes(&pair[0]) != shapes(&pair[1])) {
            out.warn("TensorFlow.js calls a `TimeDistributed` layer with inputs of one shape only");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::testing::{
        after_input, check_encoded, check_infer, check_program, check_program_of, check_refused, check_refused_in,
        check_weights, encoded,
    };
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_inner_layer_sees_one_step() {
        let dense = json!({"layer": {"class_name": "Dense", "config": {"name": "d", "units": 4}}});
        check_infer("TimeDistributed", dense.clone(), &["?,?,3"], &["?,?,4"]);
        check_infer("TimeDistributed", dense.clone(), &["2,5,6,3"], &["2,5,6,4"]);
        check_weights("TimeDistributed", dense.clone(), &["?,?,3"], &["d/kernel[3,4]", "d/bias[4]"]);
        let message = "expected an input of rank 3 or more, found shape [?,3]";
        check_refused("TimeDistributed", dense, &["?,3"], message);
        check_refused("TimeDistributed", json!({}), &["?,?,3"], "`config`: missing `layer`");
    }

    #[test]
    fn a_model_inside() {
        let dense = json!({"class_name": "Dense", "config": {"name": "d", "units": 4, "batch_input_shape": [null, 3]}});
        let model = json!({"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}});
        check_infer("TimeDistributed", json!({"layer": model}), &["?,7,3"], &["?,7,4"]);
        check_weights("TimeDistributed", json!({"layer": model}), &["?,7,3"], &["s/d/kernel[3,4]", "s/d/bias[4]"]);
    }

    #[test]
    fn time_is_folded_into_the_batch() {
        let dense = json!({"layer": {"class_name": "Dense", "config": {"name": "d", "units": 4, "use_bias": false}}});
        check_program(
            "TimeDistributed",
            dense,
            &["?,?,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            input "x1.mask": bool[batch,x1.1]
            slot slot0 "/kernel": f32[3,4]
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = reshape(%0) {dims=[batch*x1.1,3]} : f32[batch*x1.1,3]
              %3 = param() {slot=slot0} : f32[3,4]
              %4 = dot(%2, %3) {batch=[], contract=[(1,0)]} : f32[batch*x1.1,4]
              %5 = reshape(%4) {dims=[batch,x1.1,4]} : f32[batch,x1.1,4]
              return %5 "y1", %1 "y1.mask"
            }
        "#]],
        );
    }

    #[test]
    fn the_mask_of_the_inner_layer_is_one_of_steps_in_keras_2() {
        let masking = json!({"layer": {"class_name": "Masking", "config": {"name": "m"}}});
        check_program(
            "TimeDistributed",
            masking.clone(),
            &["?,?,5,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,5,3]
            input "x1.mask": bool[batch,x1.1]
            const const0: f32[] = [0.0]
            {
              %0 = input() {port=0} : f32[batch,x1.1,5,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = reshape(%0) {dims=[batch*x1.1,5,3]} : f32[batch*x1.1,5,3]
              %3 = const() {constant=const0} : f32[]
              %4 = compare(%2, %3) {op=ne} : bool[batch*x1.1,5,3]
              %5 = reduce(%4) {op=any, axes=[2], keep=true} : bool[batch*x1.1,5,1]
              %6 = cast(%5) {to=f32} : f32[batch*x1.1,5,1]
              %7 = binary(%2, %6) {op=mul} : f32[batch*x1.1,5,3]
              %8 = reshape(%5) {dims=[batch*x1.1,5]} : bool[batch*x1.1,5]
              %9 = reshape(%7) {dims=[batch,x1.1,5,3]} : f32[batch,x1.1,5,3]
              %10 = reshape(%8) {dims=[batch,x1.1,5]} : bool[batch,x1.1,5]
              return %9 "y1", %10 "y1.mask"
            }
        "#]],
        );
        check_program_of(
            Family::Keras3,
            "TimeDistributed",
            masking,
            &["?,?,5,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,5,3]
            input "x1.mask": bool[batch,x1.1]
            const const0: f32[] = [0.0]
            {
              %0 = input() {port=0} : f32[batch,x1.1,5,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = reshape(%0) {dims=[batch*x1.1,5,3]} : f32[batch*x1.1,5,3]
              %3 = const() {constant=const0} : f32[]
              %4 = compare(%2, %3) {op=ne} : bool[batch*x1.1,5,3]
              %5 = reduce(%4) {op=any, axes=[2], keep=true} : bool[batch*x1.1,5,1]
              %6 = cast(%5) {to=f32} : f32[batch*x1.1,5,1]
              %7 = binary(%2, %6) {op=mul} : f32[batch*x1.1,5,3]
              %8 = reshape(%5) {dims=[batch*x1.1,5]} : bool[batch*x1.1,5]
              %9 = reshape(%7) {dims=[batch,x1.1,5,3]} : f32[batch,x1.1,5,3]
              return %9 "y1", %1 "y1.mask"
            }
        "#]],
        );
    }

    #[test]
    fn layers_that_mix_the_entries_of_a_batch_are_refused() {
        let rnn = json!({"layer": {"class_name": "LSTM", "config": {"name": "l", "units": 4, "stateful": true}}});
        let message =
            "the layer inside of `TimeDistributed` mixes the entries of a batch (`l`), which is not supported";
        check_refused_in(Phase::Predict, "TimeDistributed", rnn, &["2,5,7,3"], message);
    }

    #[test]
    fn what_the_inner_layer_refuses_names_it() {
        let dense = json!({"layer": {"class_name": "Dense", "config": {"name": "d"}}});
        check_refused("TimeDistributed", dense, &["?,?,3"], "`config.layer.config`, layer `d`: missing `units`");
    }

    #[test]
    fn the_inner_layer_is_written_for_one_step() {
        let wrapped =
            |class: &str, config: serde_json::Value| json!({"layer": {"class_name": class, "config": config}});
        let images = json!([null, 5, 4, 3]);
        // The input that is flattened at each step is [4, 3], which is known, and of rank 3 with the batch.
        let flatten = wrapped("Flatten", json!({"name": "f"}));
        check_encoded(Family::Keras2, &images, "TimeDistributed", &flatten, &flatten, &[]);
        let reshape = wrapped("Reshape", json!({"name": "r", "target_shape": [-1, 6]}));
        let expect = wrapped("Reshape", json!({"name": "r", "target_shape": [2, 6]}));
        check_encoded(Family::Keras2, &images, "TimeDistributed", &reshape, &expect, &[]);
        let norm = wrapped("UnitNormalization", json!({"name": "u"}));
        let found = encoded(Family::Keras3, &after_input(&images, "TimeDistributed", &norm)).warnings;
        assert_eq!(found, ["layer `l/u` (UnitNormalization): TensorFlow.js has no layer of this class"]);
    }

    #[test]
    fn a_model_inside_is_written_for_one_step() {
        let softmax = json!({"class_name": "Softmax", "config": {"name": "s", "axis": 2}});
        let layers =
            json!([{"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [null, 4, 3]}}, softmax]);
        let model = json!({"class_name": "Sequential", "config": {"name": "m", "layers": layers}});
        let found =
            encoded(Family::Keras2, &after_input(&json!([null, 5, 4, 3]), "TimeDistributed", &json!({"layer": model})));
        assert_eq!(found.warnings, [""; 0]);
        let inner = &found.topology["config"]["layers"][1]["config"]["layer"];
        assert_eq!(inner["class_name"], "Sequential");
        assert_eq!(inner["config"]["layers"][1]["config"]["axis"], 2);
    }
}
