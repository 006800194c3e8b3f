//! Keras 2's `TFOpLambda` and `SlicingOpLambda`, read into the same operations as Keras 3's nodes.

use super::Op;
use crate::config::Config;
use crate::read::ReadCx;
use serde_json::{Map, Value};
use tfjs_manifest::{Error, Result};

/// Reads `{"function": "__operators__.add"}` of a `TFOpLambda`.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a function that is none of our operations.
pub fn read(class: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Op> {
    let config = Config::new(map, cx);
    let function: String = config.req("function")?;
    let name = match function.as_str() {
        "__operators__.add" | "math.add" => "Add",
        "math.subtract" => "Subtract",
        "math.multiply" => "Multiply",
        "math.truediv" | "math.divide" => "TrueDivide",
        "math.pow" => "Power",
        _ => {
            return Err(Error::unsupported(format!(
                "`{class}` calls the TensorFlow function `{function}`, which is not supported"
            )));
        }
    };
    Op::read(name, &Map::new(), cx)
}
