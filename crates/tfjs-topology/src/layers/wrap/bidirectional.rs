//! `Bidirectional`: a recurrent layer run in both directions.
//!
//! Reference: Keras's `keras/src/layers/rnn/bidirectional.py`.

use crate::call::Call;
use crate::config::{Config, FromJson, expected, missing};
use crate::def::{LayerBody, LayerEntry};
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, Scope, ScopeKind};
use crate::layers::rnn::arguments::Arguments;
use crate::layers::rnn::steps::{MaskedOutput, Steps};
use crate::lower::{KerasTensor, LowerCx};
use crate::parse::entry::read_held;
use crate::producer::Producer;
use crate::registry::{FromConfig, Layer, built_in_name};
use serde_json::Value;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::{Error, Result};

/// A recurrent layer that runs forwards and, with separate weights, backwards. Weights: those of the forward
/// layer, then those of the backward one.
///
/// Outputs: the merged output, or both if they are not merged, then the states of the forward and of the backward
/// layer. Sequences of the backward layer are reversed before they are merged. The first half of initial states is for
/// the forward layer.
#[derive(Clone, Debug)]
pub struct Bidirectional {
    /// The layer that runs from the first step.
    pub forward: LayerEntry,
    /// The layer that runs from the last step.
    pub backward: LayerEntry,
    /// How the outputs are merged.
    pub merge: Merge,
    /// Whether both return every step's output.
    pub return_sequences: bool,
    /// The axis of time in the layers' sequences.
    pub time_axis: usize,
}

/// How the two outputs are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// They are concatenated along the last axis.
    Concat,
    /// Their sum.
    Sum,
    /// Their product.
    Mul,
    /// Their mean.
    Average,
    /// They stay separate outputs.
    Apart,
}

impl FromJson for Merge {
    fn from_json(value: &Value) -> Result<Self> {
        Ok(match value.as_str() {
            Some("concat") => Merge::Concat,
            Some("sum") => Merge::Sum,
            Some("mul") => Merge::Mul,
            Some("ave") => Merge::Average,
            _ => return Err(expected("`concat`, `sum`, `mul`, `ave` or null", value)),
        })
    }
}

impl FromConfig for Bidirectional {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Bidirectional"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        if config.opt::<usize>("num_constants")?.unwrap_or(0) > 0 {
            return Err(Error::unsupported("`num_constants` above 0 is not supported").at_json("config"));
        }
        let mut forward = read_direction(config, "layer")?.ok_or_else(|| missing("layer").at_json("config"))?;
        // DIFFERENCE: TensorFlow.js ignores this key and reverses `layer`.
        let given = read_direction(config, "backward_layer")?;
        // Keras 3 keeps the name of an explicit backward layer; a derived one has the prefix.
        let backward_prefix = if given.is_some() && config.producer().is_keras3() { "" } else { "backward_" };
        let mut backward = match given {
            Some(backward) => backward,
            None => turned(&forward).map_err(|e| e.at_json("layer").at_json("config"))?,
        };
        let (steps, of_backward) = (Returned::of(&forward), Returned::of(&backward));
        let returns = [
            ("return_sequences", steps.return_sequences == of_backward.return_sequences),
            ("return_state", steps.return_state == of_backward.return_state),
        ];
        if let Some((key, _)) = returns.iter().find(|(_, same)| !same) {
            let message = format!("the forward and the backward layer differ in `{key}`");
            return Err(Error::malformed(message).at_json("config"));
        }
        for (entry, prefix) in [(&mut forward, "forward_"), (&mut backward, backward_prefix)] {
            prepare(entry, prefix, config.producer());
        }
        Ok(Bidirectional {
            forward,
            backward,
            // An absent mode means the default, null means no merge.
            merge: match config.map().get("merge_mode").or_else(|| config.map().get("mergeMode")) {
                Some(Value::Null) => Merge::Apart,
                _ => config.or("merge_mode", Merge::Concat)?,
            },
            return_sequences: steps.return_sequences,
            time_axis: usize::from(!steps.time_major),
        })
    }
}

/// The layer at a key: a recurrent one, or a custom one.
fn read_direction(config: &Config<'_>, key: &str) -> Result<Option<LayerEntry>> {
    let Some(entry) = read_held(config, key)? else { return Ok(None) };
    match &entry.body {
        LayerBody::Layer(layer) if Steps::of(layer).is_some() || matches!(layer, Layer::Custom(_)) => Ok(Some(entry)),
        _ => {
            let class = &entry.class_name;
            let message = format!("expected a recurrent layer inside `Bidirectional`, found one of class `{class}`");
            Err(Error::malformed(message).at_json(key).at_json("config"))
        }
    }
}

/// The properties of a direction that the wrapper needs.
#[derive(Clone, Copy)]
struct Returned {
    return_sequences: bool,
    return_state: bool,
    time_major: bool,
}

impl Returned {
    /// Reads the properties; those of a custom layer from its configuration, by Keras's keys.
    fn of(entry: &LayerEntry) -> Self {
        if let LayerBody::Layer(layer) = &entry.body
            && let Some(&Steps { return_sequences, return_state, time_major, .. }) = Steps::of(layer)
        {
            return Returned { return_sequences, return_state, time_major };
        }
        let flag = |key: &str| {
            let value = entry.config.get(key).or_else(|| entry.config.get(&crate::config::camel_case(key)));
            value.and_then(Value::as_bool).unwrap_or(false)
        };
        Returned {
            return_sequences: flag("return_sequences"),
            return_state: flag("return_state"),
            time_major: flag("time_major"),
        }
    }
}

/// A recurrent layer, running in the other direction.
fn in_other_direction(layer: &Layer) -> Option<Layer> {
    let mut layer = layer.clone();
    let steps = Steps::of_mut(&mut layer)?;
    steps.go_backwards = !steps.go_backwards;
    Some(layer)
}

/// The layer, running in the other direction.
fn turned(entry: &LayerEntry) -> Result<LayerEntry> {
    let layer = match &entry.body {
        LayerBody::Layer(Layer::Custom(def)) => def.turned().map(Layer::Custom),
        LayerBody::Layer(layer) => in_other_direction(layer),
        _ => None,
    };
    let layer = layer.ok_or_else(|| {
        let class = &entry.class_name;
        Error::unsupported(format!(
            "a layer of class `{class}` has no other direction; implement `LayerDef::turned` or give `backward_layer`"
        ))
    })?;
    Ok(LayerEntry { body: LayerBody::Layer(layer), ..entry.clone() })
}

/// Changes the layer as the wrapper does: adds a prefix to its name, and sets zeros for masked steps of a sequence.
fn prepare(entry: &mut LayerEntry, prefix: &str, producer: &Producer) {
    // Keras 3 writes the name with its prefix, the others without it.
    let bare = if producer.is_keras3() { bare_name(&entry.name, prefix) } else { &entry.name };
    entry.name = format!("{prefix}{bare}");
    let LayerBody::Layer(layer) = &mut entry.body else { return };
    // Convolutional layers of Keras 2 do not have this option.
    if producer.is_tfjs() || (matches!(layer, Layer::ConvLstm(_)) && !producer.is_keras3()) {
        return;
    }
    if let Some(steps) = Steps::of_mut(layer) {
        steps.masked_output = match steps.return_sequences {
            true => MaskedOutput::Zeros,
            false => MaskedOutput::Previous,
        };
    }
}

fn bare_name<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

impl Bidirectional {
    /// The calls of the forward and the backward layer.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for an odd number of initial states.
    fn calls(&self, call: &Call<KerasTensor>) -> Result<[Call<KerasTensor>; 2]> {
        let Arguments { input, states } = Arguments::of(call)?;
        if states.len() % 2 != 0 {
            return Err(Error::malformed(format!(
                "expected initial states for both directions, found {}",
                states.len()
            )));
        }
        let (forward, backward) = states.split_at(states.len() / 2);
        let of = |states: &[&KerasTensor]| {
            let mut inner = Call::of(std::iter::once(input).chain(states.iter().copied()).cloned());
            inner.kwargs.extend(call.kwarg("mask").map(|mask| ("mask".to_string(), mask.clone())));
            inner
        };
        Ok([of(forward), of(backward)])
    }

    fn scopes(&self) -> [Scope; 2] {
        let scope = |entry: &LayerEntry, attr: &str| Scope {
            name: entry.name.clone(),
            attr: attr.to_string(),
            kind: ScopeKind::Always,
        };
        [scope(&self.forward, "forward_layer"), scope(&self.backward, "backward_layer")]
    }
}

impl Bidirectional {
    /// Merges the outputs of the two directions, or returns both.
    fn merge(&self, cx: &mut LowerCx<'_>, a: tfjs_ir::Value, b: tfjs_ir::Value) -> Result<Vec<tfjs_ir::Value>> {
        Ok(vec![match self.merge {
            Merge::Apart => return Ok(vec![a, b]),
            Merge::Concat => {
                let last = cx.ty(a).rank().checked_sub(1);
                let last = last.ok_or_else(|| Error::malformed("expected outputs of rank 1 or more, found numbers"))?;
                cx.concat(&[a, b], last)?
            }
            Merge::Sum => cx.add(a, b)?,
            Merge::Mul => cx.mul(a, b)?,
            Merge::Average => {
                let sum = cx.add(a, b)?;
                let sum = cx.to_float(sum)?;
                cx.binary_scalar(BinaryOp::Mul, sum, 0.5)?
            }
        }])
    }
}

impl LayerDef for Bidirectional {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let [forward, backward] = self.calls(call)?;
        let [forward_scope, backward_scope] = self.scopes();
        let forward = cx.lower_inner(&self.forward, forward_scope, forward)?;
        let backward = cx.lower_inner(&self.backward, backward_scope, backward)?;
        let ([a, forward_states @ ..], [b, backward_states @ ..]) = (&forward[..], &backward[..]) else {
            return Err(Error::malformed("expected a layer with an output inside `Bidirectional`"));
        };
        let mut b = b.value;
        if self.return_sequences {
            if cx.ty(a.value).rank() <= self.time_axis {
                let shape = cx.shape(a.value);
                let message = format!("expected sequences from the inner layer, found shape {shape}");
                return Err(Error::malformed(message));
            }
            // The backward layer's outputs are in the order in which its steps run.
            b = cx.reverse(b, &[self.time_axis])?;
        }
        let merged = self.merge(cx, a.value, b)?;
        let merged = merged.into_iter().map(|value| KerasTensor::from(value).with_mask(a.mask));
        Ok(merged.chain(forward_states.iter().chain(backward_states).cloned()).collect())
    }

    fn takes_ragged(&self) -> bool {
        // What is inside says so itself.
        !self.return_sequences
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        // A number above 0 has been rejected.
        out.remove("num_constants");
        if built_in_name(&self.forward.class_name) == "RNN" {
            out.warn("TensorFlow.js cannot make a `Bidirectional` of an `RNN` over cells");
        }
        let forward = encode_direction(&self.forward, "forward_", target, out)?;
        out.set("layer", forward);
        if out.remove("backward_layer").is_some() && !self.is_mirror() {
            let backward = encode_direction(&self.backward, "backward_", target, out)?;
            out.set("backward_layer", backward);
            out.warn("TensorFlow.js makes the backward layer out of the forward one; this one differs");
        }
        Ok(())
    }
}

impl Bidirectional {
    /// Whether the backward layer is the reversed forward layer, apart from its weights.
    fn is_mirror(&self) -> bool {
        let (LayerBody::Layer(forward), LayerBody::Layer(backward)) = (&self.forward.body, &self.backward.body) else {
            return false;
        };
        match (in_other_direction(forward), backward) {
            (Some(Layer::Recurrent(forward)), Layer::Recurrent(backward)) => forward.computes_as(backward),
            (Some(Layer::ConvLstm(forward)), Layer::ConvLstm(backward)) => forward == *backward,
            _ => false,
        }
    }
}

fn encode_direction(entry: &LayerEntry, prefix: &str, target: Target, out: &Encoding<'_>) -> Result<Value> {
    let LayerBody::Layer(layer @ (Layer::Recurrent(_) | Layer::ConvLstm(_))) = &entry.body else {
        return out.held(entry, &[]);
    };
    out.part(&entry.class_name, &entry.config, |part| {
        if !layer.is_in_tensorflow_js(built_in_name(&entry.class_name)) {
            part.warn("TensorFlow.js has no layer of this class");
        }
        // Keras sets this key itself. It matters only if there are masks, and those have a warning of their own.
        part.remove("zero_output_for_mask");
        match layer {
            Layer::Recurrent(layer) => layer.encode_steps(target, part)?,
            Layer::ConvLstm(layer) => layer.encode_steps(target, part)?,
            _ => return Err(Error::bug("a direction without steps")),
        }
        // Keras 3 includes the direction in the name; TensorFlow.js adds it.
        if let Some(name) = part.get("name").and_then(Value::as_str).filter(|_| part.producer().is_keras3()) {
            part.set("name", bare_name(name, prefix).to_string());
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use crate::read::ReadCx;
    use crate::testing::{
        after_input, check_encoded, check_infer, check_program, check_refused, check_weights, encoded, read_layer_of,
    };
    use expect_test::expect;
    use serde_json::json;
    use std::sync::Arc;

    fn wrapped(class: &str, inner: Value, more: Value) -> Value {
        let mut config = json!({"layer": {"class_name": class, "config": inner}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    }

    #[test]
    fn outputs() {
        let lstm = json!({"name": "l", "units": 4, "return_sequences": true, "return_state": true});
        let states = ["?,4"; 4];
        let with = |first: &[&'static str]| [first, &states].concat();
        check_infer("Bidirectional", wrapped("LSTM", lstm.clone(), json!({})), &["?,?,3"], &with(&["?,?,8"]));
        let apart = wrapped("LSTM", lstm.clone(), json!({"mergeMode": null}));
        check_infer("Bidirectional", apart, &["?,?,3"], &with(&["?,?,4", "?,?,4"]));
        let sum = wrapped("LSTM", lstm, json!({"merge_mode": "sum"}));
        check_infer(
            "Bidirectional",
            sum,
            &["2,7,3", "2,4", "2,4", "2,4", "2,4"],
            &["2,7,4", "2,4", "2,4", "2,4", "2,4"],
        );
        check_infer("Bidirectional", wrapped("GRU", json!({"units": 2}), json!({})), &["?,?,3"], &["?,4"]);
    }

    #[test]
    fn weights_of_both_directions() {
        let config = wrapped("SimpleRNN", json!({"name": "r", "units": 4, "use_bias": false}), json!({}));
        let expect = [
            "forward_r/simple_rnn_cell/kernel[3,4]",
            "forward_r/simple_rnn_cell/recurrent_kernel[4,4]",
            "backward_r/simple_rnn_cell/kernel[3,4]",
            "backward_r/simple_rnn_cell/recurrent_kernel[4,4]",
        ];
        check_weights("Bidirectional", config, &["?,?,3"], &expect);
    }

    #[test]
    fn the_producer_decides_the_names() {
        let named = |name: &str| json!({"class_name": "GRU", "config": {"name": name, "units": 1}});
        let check = |family, config: Value, expect: [&str; 2]| {
            let Layer::Bidirectional(layer) = read_layer_of(family, "Bidirectional", config).unwrap() else {
                panic!("not bidirectional")
            };
            assert_eq!([&layer.forward.name[..], &layer.backward.name], expect);
        };
        let both = |a: &str, b: &str| json!({"layer": named(a), "backward_layer": named(b)});
        check(Family::Keras2, json!({"layer": named("l")}), ["forward_l", "backward_l"]);
        check(Family::Keras2, both("l", "m"), ["forward_l", "backward_m"]);
        check(Family::Keras3, both("forward_l", "backward_l"), ["forward_l", "backward_l"]);
        check(Family::Keras3, both("forward_l", "m"), ["forward_l", "m"]);
    }

    #[test]
    fn both_directions_in_the_order_of_time() {
        let inner = json!({"name": "r", "units": 4, "use_bias": false, "return_sequences": true, "return_state": true});
        let config = wrapped("SimpleRNN", inner, json!({"merge_mode": "ave"}));
        check_program(
            "Bidirectional",
            config,
            &["?,?,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            input "x1.mask": bool[batch,x1.1]
            slot slot0 "/forward_r/kernel": f32[3,4]
            slot slot1 "/forward_r/recurrent_kernel": f32[4,4]
            slot slot2 "/backward_r/kernel": f32[3,4]
            slot slot3 "/backward_r/recurrent_kernel": f32[4,4]
            const const0: f32[] = [0.0]
            const const1: f32[] = [0.5]
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = param() {slot=slot0} : f32[3,4]
              %3 = param() {slot=slot1} : f32[4,4]
              %4 = const() {constant=const0} : f32[]
              %5 = broadcast(%4) {dims=[batch,4], axes=[]} : f32[batch,4]
              %6, %7, %8 = rnn(%0, %2, %3, %5, %1) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=true, masked_output=zeros} : f32[batch,x1.1,4]; f32[batch,4]; f32[batch,4]
              %9 = param() {slot=slot2} : f32[3,4]
              %10 = param() {slot=slot3} : f32[4,4]
              %11 = broadcast(%4) {dims=[batch,4], axes=[]} : f32[batch,4]
              %12, %13, %14 = rnn(%0, %9, %10, %11, %1) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=true, bias=false, mask=true, masked_output=zeros} : f32[batch,x1.1,4]; f32[batch,4]; f32[batch,4]
              %15 = reverse(%12) {axes=[1]} : f32[batch,x1.1,4]
              %16 = binary(%6, %15) {op=add} : f32[batch,x1.1,4]
              %17 = const() {constant=const1} : f32[]
              %18 = binary(%16, %17) {op=mul} : f32[batch,x1.1,4]
              return %18 "y1", %1 "y1.mask", %8 "y2", %14 "y3"
            }
        "#]],
        );
    }

    #[test]
    fn each_direction_carries_its_own_state() {
        let inner = json!({"name": "r", "units": 4, "use_bias": false, "stateful": true});
        check_program(
            "Bidirectional",
            wrapped("SimpleRNN", inner, json!({})),
            &["2,5,3"],
            expect![[r#"
            input "x1": f32[2,5,3]
            slot slot0 "/forward_r/kernel": f32[3,4]
            slot slot1 "/forward_r/recurrent_kernel": f32[4,4]
            slot slot2 "/backward_r/kernel": f32[3,4]
            slot slot3 "/backward_r/recurrent_kernel": f32[4,4]
            state state0 "/forward_r/state0": f32[2,4] = 0.0
            state state1 "/backward_r/state0": f32[2,4] = 0.0
            {
              %0 = input() {port=0} : f32[2,5,3]
              %1 = param() {slot=slot0} : f32[3,4]
              %2 = param() {slot=slot1} : f32[4,4]
              %3 = state() {state=state0} : f32[2,4]
              %4, %5, %6 = rnn(%0, %1, %2, %3) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=false, masked_output=previous} : f32[2,5,4]; f32[2,4]; f32[2,4]
              %7 = param() {slot=slot2} : f32[3,4]
              %8 = param() {slot=slot3} : f32[4,4]
              %9 = state() {state=state1} : f32[2,4]
              %10, %11, %12 = rnn(%0, %7, %8, %9) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=true, bias=false, mask=false, masked_output=previous} : f32[2,5,4]; f32[2,4]; f32[2,4]
              %13 = concat(%5, %11) {axis=1} : f32[2,8]
              return %13 "y1"
            }
            update state0 = %6
            update state1 = %12
        "#]],
        );
    }

    #[test]
    fn refuses() {
        let gru = || json!({"units": 2});
        let message = "expected initial states for both directions, found 1";
        check_refused("Bidirectional", wrapped("GRU", gru(), json!({})), &["?,?,3", "?,2"], message);
        let config = wrapped("GRU", gru(), json!({"merge_mode": "max"}));
        let message = "`config.merge_mode`: expected `concat`, `sum`, `mul`, `ave` or null, found `\"max\"`";
        check_refused("Bidirectional", config, &["?,?,3"], message);
        check_refused("Bidirectional", json!({}), &["?,?,3"], "`config`: missing `layer`");
        let backward = json!({"class_name": "GRU", "config": {"units": 2, "return_sequences": true}});
        let config = wrapped("GRU", gru(), json!({"backward_layer": backward}));
        let message = "`config`: the forward and the backward layer differ in `return_sequences`";
        check_refused("Bidirectional", config, &["?,?,3"], message);
    }

    #[test]
    fn the_derived_layer_runs_in_the_other_direction() {
        let layer = |config: Value| match read_layer_of(Family::Keras2, "Bidirectional", config).unwrap() {
            Layer::Bidirectional(layer) => layer,
            other => panic!("{other:?} is not bidirectional"),
        };
        let backwards = |entry: &LayerEntry| match &entry.body {
            LayerBody::Layer(Layer::Recurrent(layer)) => layer.steps.go_backwards,
            other => panic!("{other:?} is not recurrent"),
        };
        for turned in [false, true] {
            let found = layer(wrapped("GRU", json!({"units": 2, "goBackwards": turned}), json!({})));
            assert_eq!([&found.forward, &found.backward].map(backwards), [turned, !turned]);
            assert!(found.is_mirror());
        }
        let given = |backwards: bool| json!({"class_name": "GRU", "config": {"units": 2, "go_backwards": backwards}});
        let with = |backwards| layer(wrapped("GRU", json!({"units": 2}), json!({"backward_layer": given(backwards)})));
        assert!(with(true).is_mirror());
        assert!(!with(false).is_mirror());
    }

    #[test]
    fn convolutional_layers_have_a_direction() {
        let inner =
            json!({"name": "c", "filters": 2, "kernel_size": 3, "return_sequences": true, "return_state": true});
        let states = ["?,6,6,2"; 4];
        let outputs = [&["?,?,6,6,4"][..], &states].concat();
        check_infer("Bidirectional", wrapped("ConvLSTM2D", inner, json!({})), &["?,?,8,8,1"], &outputs);
        let backward = |size: usize, backwards: bool| {
            let config = json!({"filters": 2, "kernel_size": size, "go_backwards": backwards});
            json!({"backward_layer": {"class_name": "ConvLSTM1D", "config": config}})
        };
        let mirror = |given: Value| {
            let config = wrapped("ConvLSTM1D", json!({"filters": 2, "kernel_size": 3}), given);
            match read_layer_of(Family::Keras3, "Bidirectional", config).unwrap() {
                Layer::Bidirectional(layer) => layer.is_mirror(),
                other => panic!("{other:?} is not bidirectional"),
            }
        };
        assert!(mirror(backward(3, true)));
        assert!(!mirror(backward(3, false)));
        assert!(!mirror(backward(1, true)));
    }

    #[test]
    fn what_tensorflow_js_cannot_wrap() {
        let cell = json!({"class_name": "SimpleRNNCell", "config": {"units": 2}});
        let sequence = json!([null, 4, 3]);
        let config = wrapped("RNN", json!({"name": "r", "cell": cell}), json!({}));
        let warning = "TensorFlow.js cannot make a `Bidirectional` of an `RNN` over cells";
        check_encoded(Family::Keras2, &sequence, "Bidirectional", &config, &json!({}), &[warning]);
        let config = wrapped("CuDNNLSTM", json!({"name": "c", "units": 2}), json!({}));
        let found = encoded(Family::Keras2, &after_input(&sequence, "Bidirectional", &config)).warnings;
        assert_eq!(found, ["layer `l` (CuDNNLSTM): TensorFlow.js has no layer of this class"]);
    }

    #[test]
    fn only_recurrent_layers_have_a_direction() {
        let message = "`config.layer`: expected a recurrent layer inside `Bidirectional`, found one of class `Dense`";
        check_refused("Bidirectional", wrapped("Dense", json!({"units": 2}), json!({})), &["?,?,3"], message);
        let given = json!({"backward_layer": {"class_name": "Flatten", "config": {}}});
        let message =
            "`config.backward_layer`: expected a recurrent layer inside `Bidirectional`, found one of class `Flatten`";
        check_refused("Bidirectional", wrapped("GRU", json!({"units": 2}), given), &["?,?,3"], message);
    }

    /// Returns its input; can be reversed if `turns`.
    #[derive(Debug)]
    struct Walk {
        turns: bool,
    }

    impl LayerDef for Walk {
        fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
            Ok(vec![cx.single(call)?])
        }

        fn turned(&self) -> Option<Arc<dyn LayerDef>> {
            self.turns.then(|| Arc::new(Walk { turns: true }) as Arc<dyn LayerDef>)
        }
    }

    #[test]
    fn a_layer_of_the_callers_own_says_its_other_direction() {
        let producer = Producer::of(Family::Keras3);
        let mut cx = ReadCx::new(&producer);
        let describe =
            |config: &Config<'_>| Ok(Arc::new(Walk { turns: config.or("turns", false)? }) as Arc<dyn LayerDef>);
        cx.custom.insert("Walk", Arc::new(describe));
        let read = |turns: bool| {
            let config =
                wrapped("Walk", json!({"name": "forward_w", "turns": turns, "return_sequences": true}), json!({}));
            Layer::read("Bidirectional", config.as_object().unwrap(), &cx).map(|read| read.layer)
        };
        let Layer::Bidirectional(layer) = read(true).unwrap() else { panic!("not bidirectional") };
        assert_eq!([&layer.forward.name[..], &layer.backward.name], ["forward_w", "backward_forward_w"]);
        assert!(layer.return_sequences);
        let message = "`config.layer`: a layer of class `Walk` has no other direction; implement `LayerDef::turned` or \
                       give `backward_layer`";
        assert_eq!(read(false).unwrap_err().to_string(), message);
    }
}
