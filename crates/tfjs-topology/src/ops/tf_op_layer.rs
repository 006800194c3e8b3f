//! `TensorFlowOpLayer` of TensorFlow 2.0 to 2.3: one node of a TensorFlow graph, with its numbers by position.
//!
//! The node is parsed into the same operations as Keras 2's `TFOpLambda`: its inputs are positional arguments, some
//! from `constants` and the others from the layer's inputs, and its attributes are keyword arguments.
//!
//! Reference: `tensorflow/core/framework/node_def.proto`, written as JSON.

use super::{FromOpConfig, Op, refused};
use crate::call::{Arg, Call};
use crate::config::{Config, expected};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result};

/// A node of a TensorFlow graph.
#[derive(Clone, Debug)]
pub struct TensorFlowOp {
    op: Box<Op>,
    inputs: Inputs,
    /// The number of the node's inputs.
    count: usize,
    /// Numbers in place of inputs, by position.
    constants: BTreeMap<usize, Value>,
    /// The attributes, named as arguments.
    attributes: Vec<(&'static str, Value)>,
}

/// How the inputs of a node are mapped to the arguments of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inputs {
    /// One to one.
    Each,
    /// All but the last form a list.
    ListFirst,
    /// All form a list.
    List,
    /// The first two are swapped.
    Swapped,
    /// The first is dropped.
    AllButFirst,
    /// The last is a keyword argument.
    Last(&'static str),
}

/// A kind of node: its name, the operation, the mapping of its inputs.
type Row = (&'static str, &'static str, Inputs);

const NODES: &[Row] = {
    use Inputs::{AllButFirst, Each, Last, List, ListFirst, Swapped};
    &[
        ("Add", "Add", Each),
        ("AddV2", "Add", Each),
        ("Sub", "Subtract", Each),
        ("Mul", "Multiply", Each),
        ("RealDiv", "TrueDivide", Each),
        ("Div", "Div", Each),
        ("DivNoNan", "DivideNoNan", Each),
        ("FloorDiv", "FloorDivide", Each),
        ("FloorMod", "Mod", Each),
        ("Mod", "Fmod", Each),
        ("TruncateMod", "Fmod", Each),
        ("Pow", "Power", Each),
        ("SquaredDifference", "SquaredDifference", Each),
        ("Maximum", "Maximum", Each),
        ("Minimum", "Minimum", Each),
        ("Atan2", "Arctan2", Each),
        ("Xlogy", "Xlogy", Each),
        ("Xdivy", "Xdivy", Each),
        ("AddN", "AddN", List),
        ("BiasAdd", "BiasAdd", Each),
        ("Equal", "Equal", Each),
        ("NotEqual", "NotEqual", Each),
        ("Greater", "Greater", Each),
        ("GreaterEqual", "GreaterEqual", Each),
        ("Less", "Less", Each),
        ("LessEqual", "LessEqual", Each),
        ("LogicalAnd", "LogicalAnd", Each),
        ("LogicalOr", "LogicalOr", Each),
        ("LogicalNot", "LogicalNot", Each),
        ("Select", "OldWhere", Each),
        ("SelectV2", "Where", Each),
        ("Relu", "Relu", Each),
        ("Relu6", "Relu6", Each),
        ("LeakyRelu", "LeakyRelu", Each),
        ("Elu", "Elu", Each),
        ("Selu", "Selu", Each),
        ("Sigmoid", "Sigmoid", Each),
        ("Tanh", "Tanh", Each),
        ("Softplus", "Softplus", Each),
        ("Softsign", "Softsign", Each),
        ("Softmax", "Softmax", Each),
        ("LogSoftmax", "LogSoftmax", Each),
        ("Abs", "Abs", Each),
        ("Neg", "Negative", Each),
        ("Sign", "Sign", Each),
        ("Square", "Square", Each),
        ("Sqrt", "Sqrt", Each),
        ("Rsqrt", "Rsqrt", Each),
        ("Reciprocal", "Reciprocal", Each),
        ("Inv", "Reciprocal", Each),
        ("Exp", "Exp", Each),
        ("Expm1", "Expm1", Each),
        ("Log", "Log", Each),
        ("Log1p", "Log1p", Each),
        ("Sin", "Sin", Each),
        ("Cos", "Cos", Each),
        ("Tan", "Tan", Each),
        ("Asin", "Arcsin", Each),
        ("Acos", "Arccos", Each),
        ("Atan", "Arctan", Each),
        ("Sinh", "Sinh", Each),
        ("Cosh", "Cosh", Each),
        ("Asinh", "Arcsinh", Each),
        ("Acosh", "Arccosh", Each),
        ("Atanh", "Arctanh", Each),
        ("Erf", "Erf", Each),
        ("Erfc", "Erfc", Each),
        ("Floor", "Floor", Each),
        ("Ceil", "Ceil", Each),
        ("Round", "Round", Each),
        ("Rint", "Round", Each),
        ("IsNan", "Isnan", Each),
        ("IsInf", "Isinf", Each),
        ("IsFinite", "Isfinite", Each),
        ("ClipByValue", "Clip", Each),
        ("Sum", "Sum", Each),
        ("Mean", "IntegerMean", Each),
        ("Max", "Max", Each),
        ("Min", "Min", Each),
        ("Prod", "Prod", Each),
        ("Any", "Any", Each),
        ("All", "All", Each),
        ("EuclideanNorm", "Norm", Each),
        ("ArgMax", "Argmax", Each),
        ("ArgMin", "Argmin", Each),
        ("TopKV2", "TopK", Each),
        ("Cumsum", "Cumsum", Each),
        ("Cumprod", "Cumprod", Each),
        ("Reshape", "Reshape", Each),
        ("Transpose", "Transpose", Each),
        ("ExpandDims", "ExpandDims", Each),
        ("Squeeze", "Squeeze", Each),
        ("Tile", "Tile", Each),
        ("BroadcastTo", "BroadcastTo", Each),
        ("Concat", "Concatenate", Swapped),
        ("ConcatV2", "Concatenate", ListFirst),
        ("Pack", "Stack", List),
        ("Unpack", "Unstack", Each),
        ("Split", "SplitLengths", AllButFirst),
        ("SplitV", "SplitLengths", Each),
        ("Slice", "Slice", Each),
        ("StridedSlice", "StridedSlice", Each),
        ("Pad", "Pad", Each),
        ("PadV2", "Pad", Each),
        ("MirrorPad", "Pad", Each),
        ("ReverseV2", "Flip", Each),
        ("Roll", "Roll", Each),
        ("GatherV2", "Gather", Each),
        ("Gather", "Gather", Each),
        ("GatherNd", "GatherNd", Each),
        ("OneHot", "OneHot", Each),
        ("MatrixBandPart", "BandPart", Each),
        ("MatMul", "Matmul", Each),
        ("BatchMatMul", "Matmul", Each),
        ("BatchMatMulV2", "Matmul", Each),
        ("Cast", "Cast", Each),
        ("Identity", "Identity", Each),
        ("StopGradient", "StopGradient", Each),
        ("CheckNumerics", "Identity", Each),
        ("EnsureShape", "Identity", Each),
        ("ZerosLike", "ZerosLike", Each),
        ("OnesLike", "OnesLike", Each),
        ("Shape", "Shape", Each),
        ("Size", "Size", Each),
        ("Rank", "Rank", Each),
        ("Range", "Range", Each),
        ("ResizeBilinear", "ResizeBilinear", Each),
        ("ResizeNearestNeighbor", "ResizeNearest", Each),
        ("DepthToSpace", "DepthToSpace", Each),
        ("SpaceToDepth", "SpaceToDepth", Each),
        ("SpaceToBatchND", "SpaceToBatch", Each),
        ("BatchToSpaceND", "BatchToSpace", Each),
        ("Conv2D", "Conv", Each),
        ("DepthwiseConv2dNative", "DepthwiseConv", Each),
        ("MaxPool", "MaxPool", Each),
        ("AvgPool", "AveragePool", Each),
        ("LRN", "LocalResponseNorm", Each),
        ("Fill", "Fill", Last("value")),
        ("TruncateDiv", "TruncateDiv", Each),
        ("Xlog1py", "Xlog1py", Each),
        ("L2Loss", "L2Loss", Each),
        ("IdentityN", "IdentityN", List),
        ("FusedBatchNorm", "FusedBatchNorm", Each),
        ("FusedBatchNormV2", "FusedBatchNorm", Each),
        ("FusedBatchNormV3", "FusedBatchNorm", Each),
        ("ExtractImagePatches", "ExtractPatches", Each),
        ("Complex", "ComplexOfParts", Each),
        ("FFT", "ComplexFft", Each),
        ("IFFT", "ComplexInverseFft", Each),
        ("FFT2D", "ComplexFft2", Each),
        ("IFFT2D", "ComplexInverseFft2", Each),
        ("FFT3D", "ComplexFft3", Each),
        ("IFFT3D", "ComplexInverseFft3", Each),
        ("RFFT", "ComplexOfReal", Each),
        ("RFFT2D", "ComplexOfReal2", Each),
        ("RFFT3D", "ComplexOfReal3", Each),
        ("IRFFT", "RealOfComplex", Each),
        ("IRFFT2D", "RealOfComplex2", Each),
        ("IRFFT3D", "RealOfComplex3", Each),
        ("ComplexAbs", "Abs", Each),
        ("Real", "Real", Each),
        ("Imag", "Imag", Each),
        ("Angle", "Angle", Each),
        ("Conj", "Conj", Each),
        ("Conv3D", "Conv", Each),
        ("MaxPool3D", "MaxPool", Each),
        ("AvgPool3D", "AveragePool", Each),
        ("LinSpace", "Linspace", Each),
        ("MatrixDiag", "MatrixDiag", Each),
        ("MatrixDiagV2", "MatrixDiag", Each),
        ("MatrixDiagV3", "MatrixDiag", Each),
        ("MatrixDiagPart", "Diagonal", Each),
        ("MatrixDiagPartV2", "Diagonal", Each),
        ("MatrixDiagPartV3", "Diagonal", Each),
        ("MatrixSetDiag", "SetDiag", Each),
        ("MatrixSetDiagV2", "SetDiag", Each),
        ("MatrixSetDiagV3", "SetDiag", Each),
        ("ScatterNd", "Scatter", Each),
        ("TensorScatterUpdate", "ScatterReplace", Each),
        ("TensorScatterAdd", "ScatterAdd", Each),
        ("TensorScatterSub", "ScatterSubtract", Each),
        ("TensorScatterMax", "ScatterMax", Each),
        ("TensorScatterMin", "ScatterMin", Each),
        ("UnsortedSegmentSum", "SegmentSum", Each),
        ("UnsortedSegmentProd", "SegmentProd", Each),
        ("UnsortedSegmentMax", "SegmentMax", Each),
        ("UnsortedSegmentMin", "SegmentMin", Each),
        ("InTopK", "InTopKOfPredictions", Each),
        ("InTopKV2", "InTopKOfPredictions", Each),
        ("InvertPermutation", "InvertPermutation", Each),
        ("UnravelIndex", "UnravelIndexTogether", Each),
        ("ReverseSequence", "ReverseSequence", Each),
        ("CumulativeLogsumexp", "CumulativeLogsumexp", Each),
        ("Erfinv", "Erfinv", Each),
        ("Ndtri", "Ndtri", Each),
        ("Lgamma", "Lgamma", Each),
        ("Digamma", "Digamma", Each),
        ("BesselI0", "I0", Each),
        ("BesselI0e", "BesselI0e", Each),
        ("BesselI1", "BesselI1", Each),
        ("BesselI1e", "BesselI1e", Each),
        ("BesselJ0", "BesselJ0", Each),
        ("BesselJ1", "BesselJ1", Each),
        ("BesselY0", "BesselY0", Each),
        ("BesselY1", "BesselY1", Each),
        ("BesselK0", "BesselK0", Each),
        ("BesselK0e", "BesselK0e", Each),
        ("BesselK1", "BesselK1", Each),
        ("BesselK1e", "BesselK1e", Each),
        ("Dawsn", "Dawsn", Each),
        ("Expint", "Expint", Each),
        ("FresnelCos", "FresnelCos", Each),
        ("FresnelSin", "FresnelSin", Each),
        ("Spence", "Spence", Each),
        ("Igamma", "Igamma", Each),
        ("Igammac", "Igammac", Each),
        ("Betainc", "Betainc", Each),
        ("Zeta", "Zeta", Each),
        ("Polygamma", "Polygamma", Each),
        ("NextAfter", "NextAfter", Each),
        ("MatrixDeterminant", "Det", Each),
        ("LogMatrixDeterminant", "Slogdet", Each),
        ("MatrixInverse", "Inv", Each),
        ("MatrixSolve", "Solve", Each),
        ("MatrixTriangularSolve", "SolveTriangular", Each),
        ("Cholesky", "Cholesky", Each),
        ("Qr", "Qr", Each),
        ("Lu", "LuTaken", Each),
        ("Svd", "SingularValuesFirst", Each),
        ("SelfAdjointEigV2", "Eigh", Each),
        ("MatrixSquareRoot", "MatrixSquareRoot", Each),
        ("MatrixSolveLs", "NormalEquations", Each),
        ("TridiagonalSolve", "TridiagonalSolve", Each),
        ("Dilation2D", "Dilation2D", Each),
        ("CropAndResize", "CropAndResize", Each),
        ("ResizeBicubic", "ResizeBicubic", Each),
        ("ResizeArea", "ResizeArea", Each),
        ("MaxPoolWithArgmax", "MaxPoolWithArgmax", Each),
        ("CombinedNonMaxSuppression", "CombinedNonMaxSuppression", Each),
        ("Diag", "TensorDiag", Each),
        ("DiagPart", "TensorDiagPart", Each),
    ]
};

/// Attributes, with the arguments they are mapped to. Other attributes are about types, which are known anyway.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("keep_dims", "keepdims"),
    ("axis", "axis"),
    ("squeeze_dims", "axis"),
    ("num", "num"),
    ("num_split", "num_or_size_splits"),
    ("batch_dims", "batch_dims"),
    ("transpose_a", "transpose_a"),
    ("transpose_b", "transpose_b"),
    ("adj_x", "transpose_a"),
    ("adj_y", "transpose_b"),
    ("exclusive", "exclusive"),
    ("reverse", "reverse"),
    ("begin_mask", "begin_mask"),
    ("end_mask", "end_mask"),
    ("ellipsis_mask", "ellipsis_mask"),
    ("new_axis_mask", "new_axis_mask"),
    ("shrink_axis_mask", "shrink_axis_mask"),
    ("alpha", "alpha"),
    ("beta", "beta"),
    ("bias", "bias"),
    ("depth_radius", "depth_radius"),
    ("DstT", "dtype"),
    ("output_type", "output_type"),
    ("out_type", "out_type"),
    ("mode", "mode"),
    ("align_corners", "align_corners"),
    ("half_pixel_centers", "half_pixel_centers"),
    ("block_size", "block_size"),
    ("strides", "strides"),
    ("ksize", "ksize"),
    ("padding", "padding"),
    ("dilations", "dilations"),
    ("explicit_paddings", "explicit_paddings"),
    ("data_format", "data_format"),
    ("sorted", "sorted"),
    ("is_training", "is_training"),
    ("epsilon", "epsilon"),
    ("ksizes", "sizes"),
    ("k", "k"),
    ("seq_dim", "seq_axis"),
    ("batch_dim", "batch_axis"),
    ("adjoint", "adjoint"),
    ("lower", "lower"),
    ("full_matrices", "full_matrices"),
    ("compute_uv", "compute_uv"),
    ("compute_v", "compute_v"),
    ("fast", "fast"),
    ("partial_pivoting", "partial_pivoting"),
    ("perturb_singular", "perturb_singular"),
    ("rates", "rates"),
    ("method", "method"),
    ("extrapolation_value", "extrapolation_value"),
    ("Targmax", "output_dtype"),
    ("include_batch_in_index", "include_batch_in_index"),
    ("pad_per_class", "pad_per_class"),
    ("clip_boxes", "clip_boxes"),
];

/// The value of an attribute in the JSON form of protocol buffers: 64-bit integers are text, bytes are base64.
fn attribute(value: &Value) -> Option<Value> {
    let (kind, value) = value.as_object()?.iter().next()?;
    match (kind.as_str(), value) {
        ("i", Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
        ("i" | "f" | "b", number) => Some(number.clone()),
        ("s", Value::String(text)) => decode(text).map(Value::from),
        ("type", Value::String(name)) => dtype(name).map(Value::from),
        ("list", Value::Object(list)) => {
            let Some((kind, items)) = list.iter().next() else { return Some(json!([])) };
            let items = items.as_array()?.iter().map(|item| attribute(&json!({ kind.as_str(): item })));
            items.collect::<Option<Vec<_>>>().map(Value::from)
        }
        _ => None,
    }
}

/// Decodes text in base64.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for c in text.bytes().filter(|&c| c != b'=') {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Keras's name of a graph's type.
fn dtype(name: &str) -> Option<&'static str> {
    Some(match name {
        "DT_FLOAT" => "float32",
        "DT_DOUBLE" => "float64",
        "DT_HALF" => "float16",
        "DT_BFLOAT16" => "bfloat16",
        "DT_INT32" => "int32",
        "DT_INT64" => "int64",
        "DT_COMPLEX64" => "complex64",
        "DT_BOOL" => "bool",
        "DT_UINT8" => "uint8",
        "DT_INT8" => "int8",
        "DT_INT16" => "int16",
        _ => return None,
    })
}

impl FromOpConfig for TensorFlowOp {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["name", "trainable", "dtype"]);
        let node: Value = match config.req::<Value>("node_def")? {
            Value::String(text) => {
                let wrong = |_| Error::malformed("expected a node of a graph as JSON").at_json("node_def");
                serde_json::from_str(&text).map_err(wrong)?
            }
            node => node,
        };
        let name = node.get("op").and_then(Value::as_str);
        let name = name.ok_or_else(|| expected("a node with an `op`", &node).at_json("node_def"))?;
        let row = NODES.iter().find(|(node, ..)| *node == name);
        let Some(&(_, operation, inputs)) = row else {
            if let Some(why) = refused::why(name) {
                return Err(Error::unsupported(format!(
                    "`TensorFlowOpLayer` has the TensorFlow operation `{}`, which is not supported: {why}",
                    shorten(name)
                )));
            }
            let hint = config.cx().hints.nearest(name, NODES.iter().map(|(node, ..)| *node));
            return Err(Error::unsupported(format!(
                "`TensorFlowOpLayer` has the TensorFlow operation `{}`, which is not supported{hint}",
                shorten(name)
            )));
        };
        let empty = Vec::new();
        let listed = node.get("input").and_then(Value::as_array).unwrap_or(&empty);
        // Names with a caret are control dependencies.
        let count = listed.iter().filter(|name| !name.as_str().is_some_and(|name| name.starts_with('^'))).count();
        let mut attributes = Vec::new();
        let written = node.get("attr").and_then(Value::as_object);
        for (key, value) in written.into_iter().flatten() {
            let known = ATTRIBUTES.iter().find(|(attribute, _)| attribute == key);
            if let Some((&(_, argument), value)) = known.zip(attribute(value)) {
                attributes.push((argument, value));
            }
        }
        if name == "Squeeze" && attributes.iter().any(|(name, axes)| *name == "axis" && *axes == json!([])) {
            attributes.retain(|(name, _)| *name != "axis");
        }
        if name == "SplitV" {
            // The lengths are an input of the node.
            attributes.retain(|(name, _)| *name != "num_or_size_splits");
        }
        explicit_padding(&mut attributes)?;
        let constants: Map<String, Value> = match config.value("constants") {
            Some(Value::Object(constants)) => constants.clone(),
            None => Map::new(),
            Some(other) => return Err(expected("numbers by position", other).at_json("constants")),
        };
        let position =
            |(key, value): (String, Value)| match key.parse::<usize>() {
                Ok(position) if position < count => Ok((position, value)),
                _ => Err(Error::malformed(format!("`{}` is not the position of an input", shorten(&key)))
                    .at_json("constants")),
            };
        let constants = constants.into_iter().map(position).collect::<Result<_>>()?;
        let op = Box::new(Op::read(operation, &Map::new(), config.cx())?);
        Ok(TensorFlowOp { op, inputs, count, constants, attributes })
    }
}

/// Explicit paddings are in an attribute of their own, beside `padding`.
fn explicit_padding(attributes: &mut Vec<(&'static str, Value)>) -> Result<()> {
    let numbers = attributes.iter().position(|(name, _)| *name == "explicit_paddings");
    let Some((_, numbers)) = numbers.map(|place| attributes.remove(place)) else { return Ok(()) };
    let padding = attributes.iter_mut().find(|(name, value)| *name == "padding" && *value == json!("EXPLICIT"));
    if let Some((_, padding)) = padding {
        let numbers = numbers.as_array().filter(|numbers| numbers.len() % 2 == 0);
        let numbers = numbers.ok_or_else(|| Error::malformed("expected two paddings for each axis"))?;
        *padding = numbers.chunks(2).map(|pair| Value::from(pair.to_vec())).collect();
    }
    Ok(())
}

impl TensorFlowOp {
    /// The inputs of the node: constants where there are some, otherwise the inputs of the layer.
    fn inputs(&self, call: &Call<KerasTensor>) -> Result<Vec<Arg<KerasTensor>>> {
        let mut tensors = call.inputs().into_iter();
        let mut inputs = Vec::with_capacity(self.count);
        for position in 0..self.count {
            inputs.push(match self.constants.get(&position) {
                Some(value) => Arg::Const(value.clone().into()),
                None => {
                    let tensor = tensors.next();
                    let wrong = || Error::malformed(format!("expected an input or a constant at position {position}"));
                    Arg::Tensor(tensor.ok_or_else(wrong)?.clone())
                }
            });
        }
        match tensors.next() {
            Some(_) => Err(Error::malformed(format!("more inputs than the {} of the operation", self.count))),
            None => Ok(inputs),
        }
    }
}

impl LayerDef for TensorFlowOp {
    fn takes_complex(&self) -> bool {
        self.op.def().takes_complex()
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let mut args = self.inputs(call)?;
        let mut kwargs: Vec<(String, Arg<KerasTensor>)> = Vec::new();
        match self.inputs {
            Inputs::Each => {}
            Inputs::List => args = vec![Arg::List(args)],
            Inputs::ListFirst => {
                let axis = args.pop().ok_or_else(|| Error::malformed("an operation without inputs"))?;
                args = vec![Arg::List(args), axis];
            }
            Inputs::Swapped if !args.is_empty() => {
                let axis = args.remove(0);
                args = vec![Arg::List(args), axis];
            }
            Inputs::AllButFirst if !args.is_empty() => kwargs.push(("axis".to_string(), args.remove(0))),
            Inputs::Last(name) => {
                let last = args.pop().ok_or_else(|| Error::malformed("an operation without inputs"))?;
                kwargs.push((name.to_string(), last));
            }
            Inputs::Swapped | Inputs::AllButFirst => return Err(Error::malformed("an operation without inputs")),
        }
        for (name, value) in &self.attributes {
            kwargs.push((name.to_string(), Arg::Const(value.clone().into())));
        }
        self.op.def().lower(cx, &Call { args, kwargs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::{Family, Producer};
    use crate::read::ReadCx;
    use crate::types::TensorType;

    #[track_caller]
    fn check(node: Value, constants: Value, inputs: &[&str], expect: &[&str]) {
        let config = json!({"name": "op", "node_def": node.to_string(), "constants": constants});
        let types = read(config).map(|op| {
            let inputs = inputs.iter().map(|text| TensorType::float(text.parse().unwrap()));
            LowerCx::alone(op.def(), &Call::of(inputs)).unwrap().0
        });
        let types: Vec<String> = types.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(types, expect);
    }

    fn read(config: Value) -> Result<Op> {
        let producer = Producer::of(Family::Keras2);
        Op::read("TensorFlowOpLayer", config.as_object().unwrap(), &ReadCx::new(&producer))
    }

    #[test]
    fn nodes() {
        let node = |op: &str, inputs: usize, attr: Value| json!({"op": op, "input": vec!["a"; inputs], "attr": attr});
        check(node("AddV2", 2, json!({"T": {"type": "DT_FLOAT"}})), json!({"1": 0.5}), &["?,3"], &["float32[?,3]"]);
        check(node("Sub", 2, json!({})), json!({"0": 1.0}), &["?,3"], &["float32[?,3]"]);
        check(
            node("Mean", 2, json!({"keep_dims": {"b": true}})),
            json!({"1": [1, 2]}),
            &["?,3,4"],
            &["float32[?,1,1]"],
        );
        check(node("ConcatV2", 3, json!({"N": {"i": "2"}})), json!({"2": -1}), &["?,3", "?,4"], &["float32[?,7]"]);
        check(node("Pack", 2, json!({"axis": {"i": "1"}})), json!({}), &["?,3", "?,3"], &["float32[?,2,3]"]);
        let split = json!({"num_split": {"i": "2"}});
        check(node("Split", 2, split), json!({"0": -1}), &["?,4"], &["float32[?,2]", "float32[?,2]"]);
        let masks = json!({"begin_mask": {"i": "1"}, "end_mask": {"i": "1"}, "shrink_axis_mask": {"i": "2"}});
        let constants = json!({"1": [0, 1], "2": [0, 2], "3": [1, 1]});
        check(node("StridedSlice", 4, masks), constants, &["?,3,4"], &["float32[?,4]"]);
        check(
            node("Squeeze", 1, json!({"squeeze_dims": {"list": {"i": ["1"]}}})),
            json!({}),
            &["?,1,4"],
            &["float32[?,4]"],
        );
        check(node("Cast", 1, json!({"DstT": {"type": "DT_INT32"}})), json!({}), &["?,4"], &["int32[?,4]"]);
        check(
            node("BatchMatMulV2", 2, json!({"adj_y": {"b": true}})),
            json!({}),
            &["?,3,4", "?,5,4"],
            &["float32[?,3,5]"],
        );
        let conv = json!({"padding": {"s": "U0FNRQ=="}, "strides": {"list": {"i": ["1", "2", "2", "1"]}}});
        check(node("Conv2D", 2, conv), json!({"1": [[[[1.0], [2.0], [3.0]]]]}), &["?,4,6,3"], &["float32[?,2,3,1]"]);
    }

    #[test]
    fn an_unknown_node_is_named() {
        let error = read(json!({"node_def": "{\"op\": \"Sigmoidd\"}"})).unwrap_err();
        let message = "`TensorFlowOpLayer` has the TensorFlow operation `Sigmoidd`, which is not supported; did you mean `Sigmoid`?";
        assert_eq!(error.to_string(), message);
        let error = read(json!({"node_def": "{\"op\": \"Add\"}", "constants": {"7": 1}})).unwrap_err();
        assert_eq!(error.to_string(), "`constants`: `7` is not the position of an input");
        assert_eq!(
            read(json!({"node_def": "Add"})).unwrap_err().to_string(),
            "`node_def`: expected a node of a graph as JSON"
        );
    }

    #[test]
    fn every_node_has_an_operation() {
        let producer = Producer::of(Family::Keras2);
        for (node, operation, _) in NODES {
            Op::read(operation, &Map::new(), &ReadCx::new(&producer)).unwrap_or_else(|e| panic!("`{node}`: {e}"));
        }
    }
}
