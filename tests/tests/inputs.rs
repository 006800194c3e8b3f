//! Inputs of a model: by position, by name, in batches. Errors state the input's name, the expected and the found
//! type or shape.

use harness::small::{Small, alone, check_error, functional, input, layer, two_to_one};
use serde_json::{Value, json};
use tfjs::{DType, Device, Input, Inputs, Kind, LayersModel, LoadOptions, PredictOptions, Tensor};

/// Two inputs, `a` of two numbers and `b` of three, concatenated.
fn two_inputs() -> LayersModel {
    let layers = json!([
        input("a", &json!([null, 2])),
        input("b", &json!([null, 3])),
        layer("Concatenate", "y", &json!({"axis": -1}), &["a", "b"]),
    ]);
    Small::new(functional(&layers, &["a", "b"], &["y"])).manifest(json!([])).load().expect("a good model")
}

fn integers(dtype: &str) -> LayersModel {
    let mut input = input("ids", &json!([null, 2]));
    input["config"]["dtype"] = json!(dtype);
    let layers = json!([input, layer("Flatten", "y", &json!({}), &["ids"])]);
    Small::new(functional(&layers, &["ids"], &["y"])).manifest(json!([])).load().expect("a good model")
}

fn floats(shape: &[usize]) -> Input {
    let n: usize = shape.iter().product();
    Input::new((0..n).map(|i| i as f32).collect::<Vec<_>>(), shape).expect("as many as the shape has")
}

#[track_caller]
fn check(model: &LayersModel, inputs: impl Into<Inputs>, place: &str, says: &str) {
    check_error(model.predict(inputs), Kind::Mismatch, place, says);
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("floats")
}

#[test]
fn a_wrong_number_of_inputs_shows_those_there_are() {
    let model = two_inputs();
    let says = "the model has 2 inputs (`a` float32[?,2], `b` float32[?,3]), found 1";
    check(&model, floats(&[1, 2]), "", says);
    check(&model, vec![floats(&[1, 2]), floats(&[1, 3]), floats(&[1, 2])], "", "found 3");
    check(&model, Vec::<Input>::new(), "", "found 0");
}

#[test]
fn a_wrong_name_shows_those_there_are() {
    let model = two_inputs();
    let named = |names: &[&str]| -> Inputs {
        names.iter().map(|n| (*n, floats(&[1, if *n == "b" { 3 } else { 2 }]))).collect()
    };
    check(&model, named(&["a", "c"]), "", "input `b` is missing; the model has `a` float32[?,2], `b` float32[?,3]");
    check(&model, named(&["a", "b", "c"]), "", "no input `c`");
    check(&model, named(&["a", "b", "a"]), "", "no input `a` left");
    check(&model, named(&[]), "", "input `a` is missing");
    model.predict(named(&["b", "a"])).expect("any order will do");
}

#[test]
fn a_wrong_shape_has_name_expected_and_found() {
    let model = two_inputs();
    check(&model, [floats(&[1, 2]), floats(&[1, 4])], "value `b`", "expected shape [?,3], found [1,4]");
    check(&model, [floats(&[1, 2, 1]), floats(&[1, 3])], "value `a`", "expected shape [?,2], found [1,2,1]");
    check(&model, [floats(&[]), floats(&[1, 3])], "value `a`", "found []");
    // A vector is read as a batch of single numbers, which this input does not accept.
    let says = "expected shape [?,2], found [2]; the first axis is the batch: give one example as [1, 2]";
    check(&model, [floats(&[2]), floats(&[1, 3])], "value `a`", says);
}

#[test]
fn batches_that_differ_are_named() {
    let model = two_inputs();
    check(&model, [floats(&[2, 2]), floats(&[3, 3])], "", "input `a` has batch 2, input `b` has 3");
}

#[test]
fn a_fixed_batch_holds_in_parts_too() {
    // The caller fixes the batch size; one fixed by the file is enforced only if a layer needs it.
    let fixed = LoadOptions::new().with_input_shape("l_input", [Some(4), Some(2)]);
    let model = alone("ReLU", json!({}), &json!([null, 2])).load_with(fixed).unwrap();
    check(&model, floats(&[3, 2]), "value `l_input`", "expected shape [4,2], found [3,2]");
    let result = model.predict_with(floats(&[4, 2]), &PredictOptions::default().with_batch_size(3));
    check_error(result, Kind::Misuse, "value `l_input`", "the batch is fixed at 4, asked for 3 at a time");
    model.predict_with(floats(&[4, 2]), &PredictOptions::default().with_batch_size(4)).expect("all four");
}

#[test]
fn a_batch_size_of_nothing_is_misuse() {
    let result =
        two_inputs().predict_with([floats(&[1, 2]), floats(&[1, 3])], &PredictOptions::default().with_batch_size(0));
    check_error(result, Kind::Misuse, "", "batch size of 0");
}

#[test]
fn ids_are_cut_to_whole_numbers_and_must_be_in_range() {
    let model = integers("int32");
    let of = |values: [f32; 2]| Input::new(values, [1, 2]).unwrap();
    check(&model, of([f32::NAN, 0.0]), "value `ids`", "non-finite value");
    check(&model, of([f32::INFINITY, 0.0]), "value `ids`", "non-finite value");
    check(&model, of([3e9, 0.0]), "value `ids`", "out of range `3000000000`");
    let wide = Tensor::new(&[[1i64 << 40, 0]], &Device::Cpu).unwrap();
    check(&model, wide, "value `ids`", "out of range `1099511627776`");
    let unsigned = Tensor::new(&[[u32::MAX, 0]], &Device::Cpu).unwrap();
    check(&model, unsigned, "value `ids`", "out of range `4294967295`");
    let good = model.predict(of([7.9, -7.9])).unwrap().into_single().unwrap();
    assert_eq!(good.to_dtype(DType::I64).unwrap().to_vec2::<i64>().unwrap(), [[7, -7]]);
}

#[test]
fn numbers_of_double_precision_do_not_become_infinite() {
    let model = two_inputs();
    let double = |x: f64| Tensor::new(&[[0.5, x]], &Device::Cpu).unwrap();
    let first = |x: f64| vec![Input::from(double(x)), floats(&[1, 3])];
    check_error(
        model.predict(first(1e39)),
        Kind::Mismatch,
        "value `a`",
        "expected `float32`, found the value out of range `1e39`",
    );
    check_error(model.predict(first(-3.5e38)), Kind::Mismatch, "value `a`", "out of range `-3.5e38`");
    for fine in [3.4e38, f64::INFINITY, f64::NAN, 1e-300] {
        model.predict(first(fine)).unwrap();
    }
    let ids = integers("int64");
    let long = Tensor::new(&[[9_223_372_036_854_775_808.0f64, 0.0]], &Device::Cpu).unwrap();
    check(&ids, long, "value `ids`", "out of range");
}

#[test]
fn truth_values_are_zero_and_one() {
    let model = integers("bool");
    check(
        &model,
        Input::new([2.0, 0.0], [1, 2]).unwrap(),
        "value `ids`",
        "expected `bool`, found the value out of range `2`",
    );
    model.predict(Input::new([1.0, 0.0], [1, 2]).unwrap()).expect("true and false");
}

#[test]
fn strings_and_numbers_are_not_mixed_up() {
    let model = two_inputs();
    let strings = Input::strings(["a", "b"], [1, 2]).unwrap();
    check(&model, [strings, floats(&[1, 3])], "value `a`", "expected `float32`, found strings");
    let lookup = alone("StringLookup", json!({"vocabulary": ["a", "b"], "dtype": "string"}), &json!([null, 1]));
    let lookup = lookup.load().unwrap();
    check(&lookup, floats(&[1, 1]), "value `l_input`", "expected strings, found numbers");
    let ids = lookup.predict(Input::strings(["b", "?"], [2, 1]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(ids.to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap(), [[2.0], [0.0]]);
}

#[test]
fn values_that_are_not_as_many_as_the_shape_says() {
    check_error(Input::new([1.0; 3], [2, 2]), Kind::Misuse, "", "shape [2,2] has 4 elements, found 3 values");
    check_error(Input::strings(["a"], [2]), Kind::Misuse, "", "");
    check_error(Input::new([], [usize::MAX, 2]), Kind::Limit, "", "elements");
}

#[test]
fn numbers_of_other_types_are_converted() {
    let model = two_to_one().load().unwrap();
    let row = [[1.0f64, 10.0]];
    let tensor = Tensor::new(&row, &Device::Cpu).unwrap();
    for dtype in [DType::F64, DType::F32, DType::F16, DType::I64, DType::U8, DType::U32] {
        let output = model.predict(tensor.to_dtype(dtype).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(values(&output), [33.0], "{dtype:?}");
    }
}

#[test]
fn a_transposed_tensor_is_read_as_what_it_is() {
    let model = two_to_one().load().unwrap();
    let tensor = Tensor::new(&[[1f32, 2.0], [10.0, 20.0]], &Device::Cpu).unwrap().t().unwrap();
    assert_eq!(values(&model.predict(tensor).unwrap().into_single().unwrap()), [33.0, 65.0]);
}

#[test]
fn positions_and_names_are_the_same() {
    let model = two_inputs();
    let by_position = model.predict([floats(&[2, 2]), floats(&[2, 3])]).unwrap().into_single().unwrap();
    let by_name = model.predict_named([("b", floats(&[2, 3])), ("a", floats(&[2, 2]))]).unwrap();
    assert_eq!(values(&by_position), values(by_name.get("y").unwrap()));
    assert_eq!(values(&by_position), [0.0, 1.0, 0.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 5.0]);
    check_error(by_name.get("z"), Kind::Misuse, "", "no output `z`; it has `y`");
    check_error(by_name.at(1), Kind::Misuse, "", "1 outputs, asked for 1");
}

#[test]
fn batches_of_any_size_give_what_one_shot_gives() {
    let model = two_inputs();
    let whole = model.predict([floats(&[7, 2]), floats(&[7, 3])]).unwrap().into_single().unwrap();
    for size in [1, 2, 3, 7, 100] {
        let options = PredictOptions::default().with_batch_size(size);
        let parts = model.predict_with([floats(&[7, 2]), floats(&[7, 3])], &options).unwrap().into_single().unwrap();
        assert_eq!(parts.dims(), whole.dims(), "{size} at a time");
        assert_eq!(values(&parts), values(&whole), "{size} at a time");
    }
}

#[test]
fn batches_of_strings_are_cut_too() {
    let config = json!({"vocabulary": ["a", "b", "c"], "dtype": "string"});
    let model = alone("StringLookup", config, &json!([null, 1])).load().unwrap();
    let words = || Input::strings(["c", "a", "b", "x", "c"], [5, 1]).unwrap();
    let whole = model.predict(words()).unwrap().into_single().unwrap();
    let parts =
        model.predict_with(words(), &PredictOptions::default().with_batch_size(2)).unwrap().into_single().unwrap();
    let flat = |t: &Tensor| t.to_dtype(DType::I64).unwrap().flatten_all().unwrap().to_vec1::<i64>().unwrap();
    assert_eq!((flat(&whole), flat(&parts)), (vec![3, 1, 2, 0, 3], vec![3, 1, 2, 0, 3]));
}

#[test]
fn a_vector_is_a_batch_of_single_numbers() {
    let model = alone("ReLU", json!({}), &json!([null, 1])).load().unwrap();
    let output = model.predict(Input::new([-1.0, 2.0, 3.0], [3]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[0.0], [2.0], [3.0]]);
}

#[test]
fn a_repeated_output_has_a_name_of_its_own() {
    let layers = json!([input("x", &json!([null, 2])), layer("ReLU", "y", &json!({}), &["x"])]);
    let model = Small::new(functional(&layers, &["x"], &["y", "y"])).manifest(Value::Array(vec![])).load().unwrap();
    let outputs = model.predict(Input::new([-1.0, 1.0], [1, 2]).unwrap()).unwrap();
    assert_eq!(outputs.names().collect::<Vec<_>>(), ["y", "y:1"]);
    assert_eq!(values(outputs.get("y").unwrap()), values(outputs.get("y:1").unwrap()));
    check_error(outputs.into_single(), Kind::Misuse, "", "2 outputs, expected one");
}
