//! Invalid shapes and sizes: negative, zero, huge, overflowing; windows larger than their inputs, for known dimensions
//! and for dimensions known only when predicting.

use harness::small::{Small, alone, check_error, check_refused, functional, input, layer};
use serde_json::{Value, json};
use tfjs::{Engine, Input, Kind, PredictOptions};

/// A layer alone, with an input of this shape.
#[track_caller]
fn check_layer(class: &str, config: Value, shape: Value, kind: Kind, place: &str, says: &str) {
    check_refused(&alone(class, config, &shape), kind, place, says);
}

#[test]
fn a_negative_dimension() {
    check_layer(
        "ReLU",
        json!({}),
        json!([null, -3]),
        Kind::Malformed,
        "config.layers[0].config.batch_input_shape[1]`, layer `l`",
        "`-3`",
    );
}

#[test]
fn a_fractional_dimension() {
    check_layer("ReLU", json!({}), json!([null, 1.5]), Kind::Malformed, "config.batch_input_shape[1]", "`1.5`");
}

#[test]
fn a_dimension_past_what_memory_can_address() {
    for huge in [json!(1u64 << 62), json!(8e15), json!(1u64 << 40)] {
        check_layer("ReLU", json!({}), json!([null, huge, huge]), Kind::Limit, "", "");
    }
    check_layer("ReLU", json!({}), json!([null, 1u64 << 32]), Kind::Limit, "l_input", "elements");
    check_layer("ReLU", json!({}), json!([null, u64::MAX]), Kind::Malformed, "config.batch_input_shape[1]", "expected");
}

#[test]
fn too_many_dimensions() {
    check_layer("ReLU", json!({}), json!([null, 1, 1, 1, 1, 1, 1, 1, 1]), Kind::Limit, "config.layers[0]", "rank");
}

#[test]
fn a_scalar_input_has_no_batch() {
    let model = alone("ReLU", json!({}), &json!([])).load().expect("a scalar is a value");
    let output = model.predict(Input::new([2.0], []).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_scalar::<f32>().unwrap(), 2.0);
}

#[test]
fn an_empty_axis_is_no_panic() {
    for (class, config) in [
        ("ReLU", json!({})),
        ("Flatten", json!({})),
        ("Softmax", json!({})),
        ("GlobalMaxPooling2D", json!({})),
        ("GlobalAveragePooling2D", json!({})),
        ("MaxPooling2D", json!({"padding": "same"})),
        ("AveragePooling2D", json!({"padding": "same"})),
        ("ZeroPadding2D", json!({"padding": 1})),
        ("UpSampling2D", json!({})),
        ("LayerNormalization", json!({"center": false, "scale": false})),
    ] {
        let model = alone(class, config, &json!([null, 0, 2, 1]));
        match model.load() {
            Err(error) => assert_ne!(error.kind(), Kind::Bug, "{class}: {error}"),
            Ok(model) => {
                let result = model.predict(Input::new([], [1, 0, 2, 1]).unwrap());
                assert!(result.as_ref().map_or_else(|e| e.kind() != Kind::Bug, |_| true), "{class}: {result:?}");
            }
        }
    }
}

#[test]
fn a_batch_of_nothing_is_no_panic() {
    for (class, config) in [("ReLU", json!({})), ("MaxPooling2D", json!({})), ("Flatten", json!({}))] {
        let model = alone(class, config, &json!([null, 4, 4, 1])).load().unwrap();
        let output = model.predict(Input::new([], [0, 4, 4, 1]).unwrap()).unwrap().into_single().unwrap();
        assert_eq!(output.dims()[0], 0, "{class}");
    }
    let candle = PredictOptions::default().with_engine(Engine::Candle);
    for (class, config) in [
        ("Softmax", json!({})),
        ("Activation", json!({"activation": "softmax"})),
        ("Activation", json!({"activation": "log_softmax"})),
        ("GlobalMaxPooling2D", json!({})),
        ("GlobalAveragePooling2D", json!({})),
        ("MaxPooling2D", json!({"padding": "same", "pool_size": 3})),
    ] {
        let model = alone(class, config, &json!([null, 4, 4, 1])).load().unwrap();
        let output = model.predict_with(Input::new([], [0, 4, 4, 1]).unwrap(), &candle).unwrap();
        assert_eq!(output.into_single().unwrap().dims()[0], 0, "{class}");
    }
}

#[test]
fn a_window_larger_than_its_input() {
    let conv = json!({"filters": 1, "kernel_size": 5});
    check_layer("Conv2D", conv, json!([null, 3, 9, 1]), Kind::Malformed, "layer `l`", "window of 5 does not fit");
    let pool = json!({"pool_size": [2, 7]});
    check_layer("MaxPooling2D", pool, json!([null, 9, 3, 1]), Kind::Malformed, "layer `l`", "window of 7 does not fit");
    let dilated = json!({"kernel_size": 3, "dilation_rate": 4});
    check_layer("DepthwiseConv2D", dilated, json!([null, 8, 8, 1]), Kind::Malformed, "layer `l`", "window of 9");
}

#[test]
fn a_window_larger_than_an_input_known_only_when_predicting() {
    let layers = [
        ("Conv2D", json!({"filters": 1, "kernel_size": 5, "use_bias": false}), Some(("l/kernel", [5, 5, 1, 1]))),
        ("DepthwiseConv2D", json!({"kernel_size": 5, "use_bias": false}), Some(("l/depthwise_kernel", [5, 5, 1, 1]))),
        ("AveragePooling2D", json!({"pool_size": 5}), None),
    ];
    for (class, config, weight) in layers {
        let model = alone(class, config, &json!([null, null, null, 1]));
        let model = match &weight {
            Some((name, shape)) => model.filled(0.0, &[(name, shape)]),
            None => model,
        };
        let model = model.load().expect("sizes that are not known cannot be wrong");
        let result = model.predict(Input::new([0.0; 12], [1, 4, 3, 1]).unwrap());
        check_error(result, Kind::Malformed, "layer `l`", "window of 5 does not fit an axis of 4");
        model.predict(Input::new([0.0; 30], [1, 6, 5, 1]).unwrap()).expect("and large enough ones are right");
    }
}

#[test]
fn zeros_where_a_count_is_needed() {
    let image = || json!([null, 4, 4, 2]);
    for (class, config, says) in [
        ("Conv2D", json!({"filters": 0, "kernel_size": 1}), "filters"),
        ("Conv2D", json!({"filters": 1, "kernel_size": 0}), "at least 1, found 0"),
        ("Conv2D", json!({"filters": 1, "kernel_size": 1, "strides": [0, 1]}), "stride must be at least 1"),
        ("Conv2D", json!({"filters": 1, "kernel_size": 1, "dilation_rate": 0}), "dilation must be at least 1"),
        ("Conv2D", json!({"filters": 1, "kernel_size": 1, "groups": 0}), "groups"),
        ("DepthwiseConv2D", json!({"kernel_size": 0}), "at least 1, found 0"),
        ("DepthwiseConv2D", json!({"kernel_size": 1, "strides": 0}), "stride must be at least 1"),
        ("DepthwiseConv2D", json!({"kernel_size": 1, "depth_multiplier": 0}), "depth_multiplier"),
        ("MaxPooling2D", json!({"pool_size": 0}), "at least 1, found 0"),
        ("AveragePooling2D", json!({"strides": 0}), "stride must be at least 1"),
        ("UpSampling2D", json!({"size": 0}), "size"),
    ] {
        let error = check_refused(&alone(class, config.clone(), &image()), Kind::Malformed, "layer `l`", "");
        assert!(error.to_string().contains(says), "{class} {config}: {error}");
    }
    for (class, config, shape) in [
        ("Dense", json!({"units": 0}), json!([null, 2])),
        ("LSTM", json!({"units": 0}), json!([null, 2, 2])),
        ("GRU", json!({"units": 0}), json!([null, 2, 2])),
        ("Embedding", json!({"input_dim": 0, "output_dim": 2}), json!([null, 2])),
        ("Embedding", json!({"input_dim": 2, "output_dim": 0}), json!([null, 2])),
        ("RepeatVector", json!({"n": 0}), json!([null, 2])),
    ] {
        // Either refused, or it loads and gives an empty value.
        if let Err(error) = alone(class, config.clone(), &shape).load() {
            assert!(!matches!(error.kind(), Kind::Bug), "{class} {config}: {error}");
        }
    }
}

#[test]
fn negative_counts_are_shown_at_their_key() {
    for (class, config, key) in [
        ("Dense", json!({"units": -1}), "config.units"),
        ("Conv2D", json!({"filters": -2, "kernel_size": 1}), "config.filters"),
        ("Conv2D", json!({"filters": 1, "kernel_size": [1, -1]}), "config.kernel_size[1]"),
        ("MaxPooling2D", json!({"strides": -1}), "config.strides"),
        ("LSTM", json!({"units": -1}), "config.units"),
    ] {
        check_layer(
            class,
            config,
            json!([null, 4, 4, 1]),
            Kind::Malformed,
            key,
            "expected a whole number of at least 0",
        );
    }
}

#[test]
fn channels_that_groups_do_not_divide() {
    let config = json!({"filters": 3, "kernel_size": 1, "groups": 2});
    check_layer("Conv2D", config, json!([null, 2, 2, 4]), Kind::Malformed, "layer `l`", "groups");
}

#[test]
fn huge_units_and_a_tiny_file_are_a_mismatch_and_no_allocation() {
    for units in [json!(1u64 << 30), json!(2_000_000_000u64)] {
        let model = alone("Dense", json!({"units": units}), &json!([null, 1]));
        let model = model.filled(0.0, &[("l/kernel", &[1, 1]), ("l/bias", &[1])]);
        check_refused(&model, Kind::Mismatch, "weight `l/kernel`", "the model needs shape");
    }
    check_layer("Dense", json!({"units": 1u64 << 40}), json!([null, 1]), Kind::Limit, "layer `l`", "elements");
    check_layer("LSTM", json!({"units": 1u64 << 31}), json!([null, 1, 1]), Kind::Limit, "layer `l`", "");
    check_layer(
        "Embedding",
        json!({"input_dim": 1u64 << 40, "output_dim": 1u64 << 40}),
        json!([null, 1]),
        Kind::Limit,
        "layer `l`",
        "",
    );
}

#[test]
fn a_manifest_that_claims_the_same_is_stopped_by_the_file_and_the_budget() {
    let claimed = |elements: u64| {
        let weight = |name: &str, shape: Value| json!({"name": name, "shape": shape, "dtype": "float32"});
        let weights = [weight("l/kernel", json!([1, elements])), weight("l/bias", json!([elements]))];
        alone("Dense", json!({"units": elements}), &json!([null, 1]))
            .manifest(json!([{"paths": ["w.bin"], "weights": weights}]))
            .file("w.bin", vec![0; 64])
    };
    check_refused(&claimed(1 << 28), Kind::Mismatch, "w.bin", "end 2147483584 bytes short");
    let error = claimed(1 << 40).load().expect_err("no machine has this");
    assert_eq!(error.kind(), Kind::Limit, "{error}");
}

#[test]
fn reshapes_that_do_not_fit() {
    for (target, kind, says) in [
        (json!([5]), Kind::Malformed, "do not fit [5]"),
        (json!([-1, 4]), Kind::Malformed, "do not fit"),
        (json!([-1, -1]), Kind::Malformed, "at most one open dimension"),
        (json!([-1, 0]), Kind::Malformed, "do not fit"),
        (json!([-2]), Kind::Malformed, "`-2` is not a dimension"),
        (json!([1u64 << 40, 1u64 << 40]), Kind::Limit, "elements"),
    ] {
        check_layer("Reshape", json!({"target_shape": target}), json!([null, 6]), kind, "layer `l`", says);
    }
}

#[test]
fn padding_and_repeating_past_every_bound() {
    let image = json!([null, 4, 4, 1]);
    let huge = 9_000_000_000_000_000u64;
    check_layer("ZeroPadding2D", json!({"padding": huge}), image.clone(), Kind::Limit, "layer `l`", "");
    check_layer("UpSampling2D", json!({"size": huge}), image.clone(), Kind::Limit, "layer `l`", "");
    check_layer("RepeatVector", json!({"n": huge}), json!([null, 4]), Kind::Limit, "layer `l`", "");
    check_layer("Cropping2D", json!({"cropping": huge}), image, Kind::Malformed, "layer `l`", "");
}

#[test]
fn sizes_known_only_when_predicting_are_checked_then() {
    let model = alone("UpSampling2D", json!({"size": 100_000}), &json!([null, null, null, 1])).load().unwrap();
    let result = model.predict(Input::new([0.0; 4], [1, 2, 2, 1]).unwrap());
    check_error(result, Kind::Limit, "layer `l`", "elements");
}

#[test]
fn merges_of_shapes_that_do_not_go_together() {
    for (class, a, b, says) in [
        ("Add", json!([null, 2]), json!([null, 3]), ""),
        ("Concatenate", json!([null, 2, 3]), json!([null, 4, 5]), ""),
        ("Multiply", json!([null, 2, 3]), json!([null, 3, 2]), ""),
    ] {
        let layers = json!([input("a", &a), input("b", &b), layer(class, "l", &json!({"axis": 1}), &["a", "b"])]);
        let model = Small::new(functional(&layers, &["a", "b"], &["l"]));
        let error = check_refused(&model, Kind::Malformed, "layer `l`", says);
        assert!(error.message().contains('['), "the shapes are shown: {error}");
    }
}

#[test]
fn axes_that_are_not_there() {
    for (class, config) in [
        ("Softmax", json!({"axis": 5})),
        ("Softmax", json!({"axis": -5})),
        ("BatchNormalization", json!({"axis": 7})),
        ("LayerNormalization", json!({"axis": [1, 9]})),
        ("Concatenate", json!({"axis": 1e18})),
        ("Permute", json!({"dims": [1, 9]})),
        ("Permute", json!({"dims": [0, 1]})),
        ("PReLU", json!({"shared_axes": [9]})),
    ] {
        let error =
            check_refused(&alone(class, config.clone(), &json!([null, 2, 3])), Kind::Malformed, "layer `l`", "");
        assert!(
            ["ax", "input", "number"].iter().any(|word| error.message().contains(word)),
            "{class} {config}: {error}"
        );
    }
}

#[test]
fn a_rank_the_layer_cannot_take() {
    for (class, config) in [
        ("Conv2D", json!({"filters": 1, "kernel_size": 1})),
        ("DepthwiseConv2D", json!({"kernel_size": 1})),
        ("MaxPooling2D", json!({})),
        ("GlobalAveragePooling2D", json!({})),
        ("ZeroPadding2D", json!({})),
        ("UpSampling2D", json!({})),
        ("LSTM", json!({"units": 1})),
        ("GRU", json!({"units": 1})),
    ] {
        check_layer(class, config, json!([null, 3]), Kind::Malformed, "layer `l`", "[?,3]");
    }
}
