//! One model, many threads; and layers of the caller's own.

use harness::small::{Small, check_error, sequential, two_to_one};
use harness::tensors::read_inputs;
use serde_json::{Value, json};
use std::path::Path;
use tfjs::layer::{Call, Config, LayerDef, OrBug, RunCx, TensorType, Value as Computed, WeightDecl};
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

/// Sixteen threads predict with one model, different batch sizes mixed, and get what one thread gets.
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
    check_threads("keras2/functional_cnn", Engine::Portable);
    check_threads("keras2/bilstm_text", Engine::Portable);
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

/// `x * scale + shift`, with `shift` a weight.
struct Scale;

#[derive(Debug)]
struct ScaleDef {
    factor: f64,
}

impl LayerDef for ScaleDef {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        Ok(call.inputs().into_iter().cloned().collect())
    }

    fn weights(&self, _: &Call<TensorType>) -> Result<Vec<WeightDecl>> {
        Ok(vec![WeightDecl::new("shift", tfjs::parts::manifest::Shape::new([1])?)])
    }
}

impl CustomLayer for Scale {
    type Def = ScaleDef;

    fn describe(&self, config: &Config<'_>) -> Result<ScaleDef> {
        Ok(ScaleDef { factor: config.req("factor")? })
    }

    fn run(&self, def: &ScaleDef, cx: &RunCx<'_>, call: &Call<Computed>) -> Result<Vec<Computed>> {
        let inputs = call.inputs();
        let x = inputs.first().ok_or_else(|| Error::misuse("no input"))?.tensor()?;
        let scaled = x.affine(def.factor, 0.0).or_bug()?;
        Ok(vec![Computed::new(scaled.broadcast_add(cx.weight(0)?).or_bug()?)])
    }
}

fn with_class(class: &str, config: Value) -> Small {
    let mut config = config;
    config["name"] = json!("s");
    config["batch_input_shape"] = json!([null, 2]);
    Small::new(sequential(&json!([{"class_name": class, "config": config}]))).weights(&[("s/shift", &[1], &[0.5])])
}

fn own(class: &str) -> LoadOptions {
    LoadOptions::new().with_custom_layers(CustomLayers::new().with(class, Scale))
}

#[track_caller]
fn check_custom(class: &str, given_as: &str) {
    for engine in [Engine::Native, Engine::Portable] {
        let model = with_class(class, json!({"factor": 3.0})).load_with(own(given_as).with_engine(engine)).unwrap();
        let output = model.predict(Input::new([1.0, -2.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(output.to_vec2::<f32>().unwrap(), [[3.5, -5.5]], "{class} given as {given_as}");
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
