//! One model used by many threads; and custom layers.

use harness::small::{Small, check_error, sequential, two_to_one};
use harness::tensors::read_inputs;
use serde_json::{Value, json};
use std::path::Path;
use tfjs::layer::prim::elementwise::BinaryOp;
use tfjs::layer::{Call, Config, KerasTensor, LayerDef, LowerCx, OpaqueLayer, Shape, WeightDecl};
use tfjs::{CustomLayer, CustomLayers, Engine, Error, Input, Inputs, Kind, LayersModel, LoadOptions, Result, Tensor};

#[test]
fn models_and_what_goes_with_them_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<LayersModel>();
    crosses::<LoadOptions>();
    crosses::<Inputs>();
    crosses::<tfjs::Outputs>();
    crosses::<tfjs::Source>();
    crosses::<tfjs::LoadReport>();
    crosses::<Error>();
}

/// Sixteen threads predict with one model and different batch sizes, with the same results as one thread.
fn check_threads(case: &str, engine: Engine) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases").join(case);
    let location = folder.to_str().expect("a plain path");
    let model = tfjs::blocking::load_layers_model(location, LoadOptions::new().with_engine(engine)).expect("it loads");
    let inputs = read_inputs(&folder).expect("the case has inputs");
    let bits = |model: &LayersModel| -> Vec<Vec<u32>> {
        let outputs = model.predict(inputs.iter().cloned().collect::<Inputs>()).expect("it predicts");
        let flat = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("floats");
        outputs.tensors().map(|(_, t)| flat(t).into_iter().map(f32::to_bits).collect()).collect()
    };
    let alone = bits(&model);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let (model, bits, alone) = (model.clone(), &bits, &alone);
            scope.spawn(move || {
                for _ in 0..10 {
                    assert_eq!(bits(&model), *alone);
                }
            });
        }
    });
}

#[test]
fn sixteen_threads_predict_what_one_does_natively() {
    check_threads("keras2/functional_cnn", Engine::Native);
    check_threads("keras2/bilstm_text", Engine::Native);
}

#[test]
fn sixteen_threads_predict_what_one_does_portably() {
    check_threads("keras2/functional_cnn", Engine::Candle);
    check_threads("keras2/bilstm_text", Engine::Candle);
}

#[test]
fn sixteen_threads_with_batches_of_their_own() {
    let model = two_to_one().load().unwrap();
    std::thread::scope(|scope| {
        for batch in 1..=16usize {
            let model = &model;
            scope.spawn(move || {
                for _ in 0..50 {
                    let input = Input::new(vec![1.0; 2 * batch], [batch, 2]).unwrap();
                    let output = model.predict(input).unwrap().into_single().unwrap();
                    assert_eq!(output.flatten_all().unwrap().to_vec1::<f32>().unwrap(), vec![6.0; batch]);
                }
            });
        }
    });
}

#[test]
fn a_clone_outlives_its_original() {
    let model = two_to_one().load().unwrap();
    let clone = model.clone();
    drop(model);
    let output = clone.predict(Input::new([1.0, 1.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[6.0]]);
}

/// `x * factor + shift`, with `shift` a weight.
struct Scale;

#[derive(Debug)]
struct ScaleDef {
    factor: f64,
}

impl LayerDef for ScaleDef {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let shift = cx.weight(WeightDecl::new("shift", Shape::new([1])?))?;
        let scaled = cx.binary_scalar(BinaryOp::Mul, input.value, self.factor)?;
        let out = cx.add(scaled, shift)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

impl CustomLayer for Scale {
    type Def = ScaleDef;

    fn describe(&self, config: &Config<'_>) -> Result<ScaleDef> {
        Ok(ScaleDef { factor: config.req("factor")? })
    }
}

/// The same layer as a function on candle tensors.
struct OpaqueScale;

#[derive(Debug)]
struct OpaqueScaleDef {
    factor: f64,
}

impl LayerDef for OpaqueScaleDef {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let shift = cx.weight(WeightDecl::new("shift", Shape::new([1])?))?;
        let (ty, factor) = (cx.ty(input.value).clone(), self.factor);
        let out = cx.opaque("Scale", &[input.value, shift], vec![ty], move |operands| {
            let [x, shift] = operands else { return Err(Error::bug("a scale of two operands")) };
            let out = x.affine(factor, 0.0).and_then(|x| x.broadcast_add(shift)).map_err(Error::custom)?;
            Ok(vec![out])
        })?;
        Ok(vec![KerasTensor::from(out[0])])
    }
}

impl CustomLayer for OpaqueScale {
    type Def = OpaqueScaleDef;

    fn describe(&self, config: &Config<'_>) -> Result<OpaqueScaleDef> {
        Ok(OpaqueScaleDef { factor: config.req("factor")? })
    }
}

fn with_class(class: &str, config: Value) -> Small {
    with_entry(json!({"class_name": class, "config": config}))
}

fn with_entry(mut entry: Value) -> Small {
    entry["config"]["name"] = json!("s");
    entry["config"]["batch_input_shape"] = json!([null, 2]);
    Small::new(sequential(&json!([entry]))).weights(&[("s/shift", &[1], &[0.5])])
}

fn own(class: &str) -> LoadOptions {
    LoadOptions::new().with_custom_layers(CustomLayers::new().with(class, Scale))
}

#[track_caller]
fn check_custom(class: &str, given_as: &str) {
    for engine in [Engine::Native, Engine::Candle] {
        let model = with_class(class, json!({"factor": 3.0})).load_with(own(given_as).with_engine(engine)).unwrap();
        let output = model.predict(Input::new([1.0, -2.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(output.to_vec2::<f32>().unwrap(), [[3.5, -5.5]], "{class} given as {given_as}");
    }
}

/// Two classes of one type, with different values.
struct Times(f64);

impl CustomLayer for Times {
    type Def = ScaleDef;

    fn describe(&self, _: &Config<'_>) -> Result<ScaleDef> {
        Ok(ScaleDef { factor: self.0 })
    }
}

#[test]
fn two_classes_that_share_a_type_run_their_own_values() {
    let own = CustomLayers::new().with("Once", Times(1.0)).with("Thrice", Times(3.0));
    for (class, expected) in [("Once", 2.5), ("Thrice", 6.5)] {
        let options = LoadOptions::new().with_custom_layers(own.clone());
        let model = with_class(class, json!({})).load_with(options).unwrap();
        let output = model.predict(Input::new([2.0, 2.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(output.to_vec2::<f32>().unwrap(), [[expected, expected]], "{class}");
    }
}

#[test]
fn a_layer_of_ones_own_may_be_a_function_on_tensors() {
    for engine in [Engine::Native, Engine::Candle] {
        let options = LoadOptions::new().with_engine(engine);
        let options = options.with_custom_layers(CustomLayers::new().with("Scale", OpaqueScale));
        let model = with_class("Scale", json!({"factor": 3.0})).load_with(options).unwrap();
        let output = model.predict(Input::new([1.0, -2.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(output.to_vec2::<f32>().unwrap(), [[3.5, -5.5]]);
        if engine == Engine::Native {
            assert_eq!(model.report().opaque_layers, ["s"]);
        }
    }
}

#[test]
fn a_layer_of_ones_own_runs() {
    check_custom("Scale", "Scale");
}

#[test]
fn a_layer_of_ones_own_is_found_with_its_package() {
    check_custom("Custom>Scale", "Scale");
    check_custom("MyPackage>Scale", "Scale");
    check_custom("MyPackage>Scale", "MyPackage>Scale");
}

/// The class name alone may be that of a built-in class, or of a class in another package.
#[test]
fn a_layer_of_ones_own_is_found_by_the_name_it_was_registered_by() {
    let entry = |class: &str, name: &str| {
        with_entry(json!({"class_name": class, "registered_name": name, "module": "mine", "config": {"factor": 3.0}}))
    };
    for (class, name, given_as) in [
        ("Scale", "Mine>Scale", "Scale"),
        ("Scale", "Mine>Other", "Scale"),
        ("Scale", "Mine>Other", "Mine>Other"),
        ("ReLU", "Mine>ReLU", "Mine>ReLU"),
    ] {
        let model = entry(class, name).load_with(own(given_as)).unwrap();
        let output = model.predict(Input::new([1.0, -2.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(output.to_vec2::<f32>().unwrap(), [[3.5, -5.5]], "{class}, {name} given as {given_as}");
    }
    let result = entry("ReLU", "Mine>ReLU").load();
    check_error(result, Kind::Unsupported, "layer `s`", "unknown layer class `Mine>ReLU`");
}

#[test]
fn a_layer_of_ones_own_comes_before_a_built_in_one() {
    check_custom("Rescaling", "Rescaling");
}

#[test]
fn a_layer_of_ones_own_that_was_not_given_is_named() {
    let result = with_class("MyPackage>Scale", json!({"factor": 3.0})).load();
    check_error(result, Kind::Unsupported, "layer `s`", "unknown layer class `MyPackage>Scale`");
    let near = with_class("Scale", json!({"factor": 3.0})).load_with(own("Scales"));
    check_error(near, Kind::Unsupported, "layer `s`", "did you mean `Scales`?");
}

#[test]
fn a_wrong_configuration_of_ones_own_layer_is_at_its_key() {
    let result = with_class("Scale", json!({"factor": "three"})).load_with(own("Scale"));
    check_error(result, Kind::Malformed, "config.factor", "expected a number");
    let result = with_class("Scale", json!({})).load_with(own("Scale"));
    check_error(result, Kind::Malformed, "layer `s`", "missing `factor`");
}

#[test]
fn a_layer_of_ones_own_runs_in_wrappers_and_nested_models() {
    let inner = json!({"class_name": "Scale", "config": {"name": "s", "factor": 2.0}});
    let td = json!({"class_name": "TimeDistributed", "config": {"name": "t", "layer": inner, "batch_input_shape": [null, 2, 1]}});
    let nested = json!({"class_name": "Sequential", "config": {"name": "n", "layers": [td]}});
    let model = Small::new(sequential(&json!([nested]))).weights(&[("t/shift", &[1], &[1.0])]);
    let model = model.load_with(own("Scale")).unwrap();
    let output = model.predict(Input::new([1.0, 2.0], [1, 2, 1]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [3.0, 5.0]);
}
