//! Keras 2's `TFOpLambda` and `SlicingOpLambda`, read into the same operations as Keras 3's nodes.

use super::Op;
use crate::config::Config;
use crate::read::ReadCx;
use serde_json::{Map, Value, json};
use tfjs_manifest::{Error, Result};

/// Reads `{"function": "__operators__.add"}` of a `TFOpLambda`. The function's arguments are in its calls.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a function that is none of our operations.
pub(crate) fn read(class: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Op> {
    let config = Config::new(map, cx);
    let function: String = config.req("function")?;
    let Some(name) = operation(&function) else {
        return Err(Error::unsupported(format!(
            "`{class}` calls the TensorFlow function `{function}`, which is not supported"
        )));
    };
    let mut defaults = Map::new();
    match name {
        // TensorFlow's default is the exact function, Keras 3's the approximation.
        "Gelu" => _ = defaults.insert("approximate".to_string(), json!(false)),
        "Concatenate" => _ = defaults.insert("axis".to_string(), json!(0)),
        _ => {}
    }
    Op::read(name, &defaults, cx)
}

/// TensorFlow's functions, and Keras 3's names of the same operations.
const FUNCTIONS: &[(&str, &str)] = &[
    ("add", "Add"),
    ("subtract", "Subtract"),
    ("multiply", "Multiply"),
    ("truediv", "TrueDivide"),
    ("divide", "TrueDivide"),
    ("floordiv", "FloorDivide"),
    ("floor_div", "FloorDivide"),
    ("floormod", "Mod"),
    ("mod", "Mod"),
    ("pow", "Power"),
    ("squared_difference", "SquaredDifference"),
    ("maximum", "Maximum"),
    ("minimum", "Minimum"),
    ("equal", "Equal"),
    ("eq", "Equal"),
    ("not_equal", "NotEqual"),
    ("ne", "NotEqual"),
    ("greater", "Greater"),
    ("greater_equal", "GreaterEqual"),
    ("less", "Less"),
    ("less_equal", "LessEqual"),
    ("logical_and", "LogicalAnd"),
    ("logical_or", "LogicalOr"),
    ("logical_xor", "LogicalXor"),
    ("logical_not", "LogicalNot"),
    ("abs", "Abs"),
    ("negative", "Negative"),
    ("square", "Square"),
    ("sign", "Sign"),
    ("clip_by_value", "Clip"),
    ("exp", "Exp"),
    ("expm1", "Expm1"),
    ("log", "Log"),
    ("log1p", "Log1p"),
    ("sqrt", "Sqrt"),
    ("rsqrt", "Rsqrt"),
    ("reciprocal", "Reciprocal"),
    ("sin", "Sin"),
    ("cos", "Cos"),
    ("erf", "Erf"),
    ("floor", "Floor"),
    ("ceil", "Ceil"),
    ("round", "Round"),
    ("relu", "Relu"),
    ("relu6", "Relu6"),
    ("leaky_relu", "LeakyRelu"),
    ("elu", "Elu"),
    ("selu", "Selu"),
    ("gelu", "Gelu"),
    ("silu", "Silu"),
    ("swish", "Silu"),
    ("sigmoid", "Sigmoid"),
    ("log_sigmoid", "LogSigmoid"),
    ("tanh", "Tanh"),
    ("softplus", "Softplus"),
    ("softsign", "Softsign"),
    ("softmax", "Softmax"),
    ("log_softmax", "LogSoftmax"),
    ("reduce_sum", "Sum"),
    ("reduce_mean", "Mean"),
    ("reduce_max", "Max"),
    ("reduce_min", "Min"),
    ("reduce_prod", "Prod"),
    ("reduce_any", "Any"),
    ("reduce_all", "All"),
    ("reshape", "Reshape"),
    ("transpose", "Transpose"),
    ("squeeze", "Squeeze"),
    ("expand_dims", "ExpandDims"),
    ("tile", "Tile"),
    ("concat", "Concatenate"),
    ("stack", "Stack"),
    ("unstack", "Unstack"),
    ("getitem", "GetItem"),
    ("cast", "Cast"),
    ("identity", "Identity"),
    ("convert_to_tensor", "ConvertToTensor"),
    ("zeros_like", "ZerosLike"),
    ("ones_like", "OnesLike"),
    ("where", "Where"),
    ("matmul", "Matmul"),
    ("einsum", "Einsum"),
    ("shape", "Shape"),
    ("fill", "Fill"),
    ("zeros", "Zeros"),
    ("ones", "Ones"),
    ("broadcast_to", "BroadcastTo"),
    ("range", "Range"),
];

/// Keras 3's name of a TensorFlow function.
fn operation(function: &str) -> Option<&'static str> {
    // Functions have several homes: `math.add`, `add`, `compat.v1.add`; `nn.tanh`, `math.tanh`.
    let (home, name) = function.rsplit_once('.').unwrap_or(("", function));
    if !matches!(
        home,
        "" | "math" | "nn" | "linalg" | "__operators__" | "compat.v1" | "compat.v1.math" | "compat.v1.nn"
    ) {
        return None;
    }
    FUNCTIONS.iter().find(|(function, _)| *function == name).map(|&(_, operation)| operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::LowerCx;
    use crate::ops::testing::call;
    use crate::producer::{Family, Producer};

    #[track_caller]
    fn check(function: &str, args: Value, kwargs: Value, expect: &str) {
        let producer = Producer::of(Family::Keras2);
        let config = json!({"name": "tf.op", "function": function});
        let op = read("TFOpLambda", config.as_object().unwrap(), &ReadCx::new(&producer)).unwrap();
        let (types, _) = LowerCx::alone(op.def(), &call(&args, &kwargs)).unwrap();
        assert_eq!(types[0].to_string(), expect);
    }

    #[test]
    fn functions() {
        check("__operators__.add", json!(["f:?,3"]), json!({"y": 1.5, "name": null}), "float32[?,3]");
        check("math.multiply", json!([2.0]), json!({"y": "f:?,3", "name": null}), "float32[?,3]");
        check("concat", json!(["f:?,3", "f:?,4"]), json!({"axis": -1}), "float32[?,7]");
        check("compat.v1.squeeze", json!(["f:?,1,4"]), json!({"axis": 1, "name": null}), "float32[?,4]");
        check("linalg.matmul", json!(["f:?,3,4"]), json!({"b": "f:?,3,4", "transpose_b": true}), "float32[?,3,3]");
        check("nn.gelu", json!(["f:?,3"]), json!({"approximate": false}), "float32[?,3]");
        check("cast", json!(["f:?,3"]), json!({"dtype": "int64"}), "int64[?,3]");
    }

    #[test]
    fn an_unknown_function_is_named() {
        let producer = Producer::of(Family::Keras2);
        let config = json!({"function": "image.resize"});
        let error = read("TFOpLambda", config.as_object().unwrap(), &ReadCx::new(&producer)).unwrap_err();
        let message = "`TFOpLambda` calls the TensorFlow function `image.resize`, which is not supported";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn every_function_has_an_operation() {
        let producer = Producer::of(Family::Keras2);
        for (function, operation) in FUNCTIONS {
            Op::read(operation, &Map::new(), &ReadCx::new(&producer)).unwrap_or_else(|e| panic!("`{function}`: {e}"));
            assert_eq!(FUNCTIONS.iter().filter(|(name, _)| name == function).count(), 1, "`{function}`");
        }
    }
}
