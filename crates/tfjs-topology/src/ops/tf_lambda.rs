//! Keras 2's `TFOpLambda` and `SlicingOpLambda`, parsed into the same operations as Keras 3's nodes.

use super::{Op, refused};
use crate::config::Config;
use crate::read::ReadCx;
use serde_json::{Map, Value, json};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result};

/// Parses `{"function": "__operators__.add"}` of a `TFOpLambda`. The function's arguments are in its calls.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a function without an operation.
pub(crate) fn read(class: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Op> {
    let config = Config::new(map, cx);
    let function: String = config.req("function")?;
    let Some(name) = operation(&function) else {
        if let Some(why) = refused::why(last(&function)) {
            return Err(Error::unsupported(format!(
                "`{class}` calls the TensorFlow function `{}`, which is not supported: {why}",
                shorten(&function)
            )));
        }
        let hint = cx.hints.nearest(last(&function), FUNCTIONS.iter().map(|(name, _)| *name));
        return Err(Error::unsupported(format!(
            "`{class}` calls the TensorFlow function `{}`, which is not supported{hint}",
            shorten(&function)
        )));
    };
    let defaults = defaults(name, bare(&function));
    let Some(defaults) = defaults.as_object() else { return Err(Error::bug("defaults are an object")) };
    Op::read(name, defaults, cx)
}

/// TensorFlow's defaults for absent arguments, where Keras 3 has other defaults or always writes the argument.
fn defaults(name: &str, function: &str) -> Value {
    match (name, function) {
        // TensorFlow's default is the exact function, Keras 3's is the approximation.
        ("Gelu", _) => json!({"approximate": false}),
        ("Argmax" | "Argmin", _) => json!({"axis": 0, "output_type": "int64"}),
        ("Concatenate" | "Cumsum" | "Cumprod", _) => json!({"axis": 0}),
        ("CountNonzero", _) => json!({"dtype": "int64"}),
        ("Cast", "keras.backend.cast_to_floatx") => json!({"dtype": "float32"}),
        ("Swapaxes", "linalg.matrix_transpose") => json!({"axis1": -2, "axis2": -1}),
        ("Swapaxes", "linalg.adjoint") => json!({"axis1": -2, "axis2": -1}),
        ("Gather", "batch_gather") => json!({"batch_dims": -1}),
        ("CTCLoss", _) => json!({"logits_time_major": true}),
        ("SolveTriangular", _) => json!({"lower": true}),
        ("Rot90", "image.rot90") => json!({"axes": [-3, -2]}),
        _ => json!({}),
    }
}

/// TensorFlow's functions, with Keras 3's names of the same operations.
const FUNCTIONS: &[(&str, &str)] = &[
    ("add", "Add"),
    ("subtract", "Subtract"),
    ("multiply", "Multiply"),
    ("truediv", "TrueDivide"),
    ("divide", "TrueDivide"),
    ("realdiv", "TrueDivide"),
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
    ("reduce_mean", "IntegerMean"),
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
    ("tan", "Tan"),
    ("asin", "Arcsin"),
    ("acos", "Arccos"),
    ("atan", "Arctan"),
    ("sinh", "Sinh"),
    ("cosh", "Cosh"),
    ("asinh", "Arcsinh"),
    ("acosh", "Arccosh"),
    ("atanh", "Arctanh"),
    ("atan2", "Arctan2"),
    ("erfc", "Erfc"),
    ("rint", "Round"),
    ("reciprocal_no_nan", "ReciprocalNoNan"),
    ("is_nan", "Isnan"),
    ("is_inf", "Isinf"),
    ("is_finite", "Isfinite"),
    ("saturate_cast", "SaturateCast"),
    ("stop_gradient", "StopGradient"),
    ("crelu", "Crelu"),
    ("check_numerics", "Identity"),
    ("ensure_shape", "Identity"),
    ("guarantee_const", "Identity"),
    ("invert", "BitwiseInvert"),
    ("bitwise_and", "BitwiseAnd"),
    ("bitwise_or", "BitwiseOr"),
    ("bitwise_xor", "BitwiseXor"),
    ("left_shift", "BitwiseLeftShift"),
    ("right_shift", "BitwiseRightShift"),
    ("divide_no_nan", "DivideNoNan"),
    ("multiply_no_nan", "MultiplyNoNan"),
    ("xlogy", "Xlogy"),
    ("xdivy", "Xdivy"),
    ("truncatemod", "Fmod"),
    ("scalar_mul", "Multiply"),
    ("add_n", "AddN"),
    ("accumulate_n", "AddN"),
    ("bias_add", "BiasAdd"),
    ("sigmoid_cross_entropy_with_logits", "SigmoidCrossEntropy"),
    ("softmax_cross_entropy_with_logits_v2", "SoftmaxCrossEntropy"),
    ("reduce_std", "Std"),
    ("reduce_variance", "Var"),
    ("reduce_logsumexp", "Logsumexp"),
    ("reduce_euclidean_norm", "Norm"),
    ("norm", "Norm"),
    ("count_nonzero", "CountNonzero"),
    ("zero_fraction", "ZeroFraction"),
    ("l2_normalize", "L2Normalize"),
    ("normalize", "WithNorm"),
    ("clip_by_norm", "ClipByNorm"),
    ("moments", "Moments"),
    ("argmax", "Argmax"),
    ("argmin", "Argmin"),
    ("sort", "Sort"),
    ("argsort", "Argsort"),
    ("top_k", "TopK"),
    ("cumsum", "Cumsum"),
    ("cumprod", "Cumprod"),
    ("split", "SplitLengths"),
    ("reverse", "Flip"),
    ("roll", "Roll"),
    ("repeat", "Repeat"),
    ("pad", "Pad"),
    ("slice", "Slice"),
    ("strided_slice", "StridedSlice"),
    ("band_part", "BandPart"),
    ("diag_part", "Diagonal"),
    ("diag", "MatrixDiag"),
    ("set_diag", "SetDiag"),
    ("trace", "Trace"),
    ("meshgrid", "Meshgrid"),
    ("linspace", "Linspace"),
    ("matrix_transpose", "Swapaxes"),
    ("eye", "Eye"),
    ("gather", "Gather"),
    ("gather_nd", "GatherNd"),
    ("embedding_lookup", "Gather"),
    ("one_hot", "OneHot"),
    ("tensordot", "Tensordot"),
    ("cross", "Cross"),
    ("rank", "Rank"),
    ("size", "Size"),
    ("depth_to_space", "DepthToSpace"),
    ("space_to_depth", "SpaceToDepth"),
    ("max_pool", "MaxPool"),
    ("max_pool1d", "MaxPool"),
    ("max_pool2d", "MaxPool"),
    ("max_pool3d", "MaxPool"),
    ("avg_pool", "AveragePool"),
    ("avg_pool1d", "AveragePool"),
    ("avg_pool2d", "AveragePool"),
    ("avg_pool3d", "AveragePool"),
    ("pool", "Pool"),
    ("conv1d", "Conv"),
    ("conv2d", "Conv"),
    ("conv3d", "Conv"),
    ("convolution", "Conv"),
    ("depthwise_conv2d", "DepthwiseConv"),
    ("separable_conv2d", "SeparableConv"),
    ("conv1d_transpose", "ConvTransposeTo"),
    ("conv2d_transpose", "ConvTransposeTo"),
    ("conv3d_transpose", "ConvTransposeTo"),
    ("conv_transpose", "ConvTransposeTo"),
    ("image.resize", "ResizeTo"),
    ("image.resize_images", "ResizeOld"),
    ("image.resize_bilinear", "ResizeBilinear"),
    ("image.resize_nearest_neighbor", "ResizeNearest"),
    ("image.rgb_to_grayscale", "RGBToGrayscale"),
    ("image.grayscale_to_rgb", "GrayscaleToRGB"),
    ("image.rgb_to_hsv", "RGBToHSV"),
    ("image.hsv_to_rgb", "HSVToRGB"),
    ("image.rgb_to_yuv", "RGBToYUV"),
    ("image.yuv_to_rgb", "YUVToRGB"),
    ("image.flip_left_right", "FlipLeftRight"),
    ("image.flip_up_down", "FlipUpDown"),
    ("image.rot90", "Rot90"),
    ("image.transpose", "TransposeImage"),
    ("image.central_crop", "CentralCrop"),
    ("image.crop_to_bounding_box", "CropToBox"),
    ("image.pad_to_bounding_box", "PadToBox"),
    ("image.resize_with_crop_or_pad", "CropOrPad"),
    ("image.extract_patches", "ExtractPatches"),
    ("image.per_image_standardization", "PerImageStandardization"),
    ("image.adjust_contrast", "AdjustContrast"),
    ("image.adjust_brightness", "AdjustBrightness"),
    ("image.adjust_saturation", "AdjustSaturation"),
    ("image.adjust_hue", "AdjustHue"),
    ("image.adjust_gamma", "AdjustGamma"),
    ("image.convert_image_dtype", "ConvertImageDtype"),
    ("keras.backend.batch_flatten", "BatchFlatten"),
    ("keras.backend.cast_to_floatx", "Cast"),
    ("keras.backend.print_tensor", "Identity"),
    ("keras.backend.categorical_crossentropy", "CategoricalCrossentropy"),
    ("keras.backend.binary_crossentropy", "BinaryCrossentropy"),
    ("keras.backend.categorical_focal_crossentropy", "CategoricalFocalCrossentropy"),
    ("keras.metrics.hinge", "Hinge"),
    ("keras.metrics.squared_hinge", "SquaredHinge"),
    ("keras.backend.switch", "SwitchTensors"),
    ("compat.v1.where", "OldWhere"),
    ("local_response_normalization", "LocalResponseNorm"),
    ("sequence_mask", "SequenceMask"),
    ("space_to_batch_nd", "SpaceToBatch"),
    ("batch_to_space_nd", "BatchToSpace"),
    ("fused_batch_norm", "FusedBatchNorm"),
    ("relu_layer", "ReluLayer"),
    ("xw_plus_b", "XwPlusB"),
    ("depthwise_conv2d_native", "DepthwiseConv"),
    ("image.extract_image_patches", "ExtractPatches"),
    ("extract_image_patches", "ExtractPatches"),
    ("extract_volume_patches", "ExtractPatches"),
    ("image.rgb_to_yiq", "RGBToYIQ"),
    ("image.yiq_to_rgb", "YIQToRGB"),
    ("image.resize_image_with_pad", "ResizeWithPadOld"),
    ("compat.v1.math.in_top_k", "InTopKOfPredictions"),
    ("compat.v1.nn.in_top_k", "InTopKOfPredictions"),
    ("polyval", "Polyval"),
    ("xlog1py", "Xlog1py"),
    ("l2_loss", "L2Loss"),
    ("div", "Div"),
    ("truncatediv", "TruncateDiv"),
    ("batch_gather", "Gather"),
    ("identity_n", "IdentityN"),
    ("signal.frame", "ExtractSequences"),
    ("signal.dct", "DCT"),
    ("signal.idct", "IDCT"),
    ("spectral.dct", "DCT"),
    ("spectral.idct", "IDCT"),
    ("signal.mdct", "MDCT"),
    ("signal.inverse_mdct", "InverseMDCT"),
    ("signal.mfccs_from_log_mel_spectrograms", "MelCepstrum"),
    ("signal.hann_window", "HannWindow"),
    ("signal.hamming_window", "HammingWindow"),
    ("signal.kaiser_window", "KaiserWindow"),
    ("signal.kaiser_bessel_derived_window", "KaiserBesselDerivedWindow"),
    ("signal.vorbis_window", "VorbisWindow"),
    ("signal.fftshift", "FFTShift"),
    ("signal.ifftshift", "IFFTShift"),
    ("complex", "ComplexOfParts"),
    ("signal.stft", "ComplexStft"),
    ("signal.inverse_stft", "ComplexInverseStft"),
    ("signal.fft", "ComplexFft"),
    ("signal.ifft", "ComplexInverseFft"),
    ("signal.fft2d", "ComplexFft2"),
    ("signal.ifft2d", "ComplexInverseFft2"),
    ("signal.fft3d", "ComplexFft3"),
    ("signal.ifft3d", "ComplexInverseFft3"),
    ("signal.rfft", "ComplexOfReal"),
    ("signal.irfft", "RealOfComplex"),
    ("spectral.fft", "ComplexFft"),
    ("spectral.ifft", "ComplexInverseFft"),
    ("fft", "ComplexFft"),
    ("ifft", "ComplexInverseFft"),
    ("scatter_nd", "Scatter"),
    ("tensor_scatter_nd_update", "ScatterReplace"),
    ("tensor_scatter_update", "ScatterReplace"),
    ("tensor_scatter_nd_add", "ScatterAdd"),
    ("tensor_scatter_add", "ScatterAdd"),
    ("tensor_scatter_nd_sub", "ScatterSubtract"),
    ("tensor_scatter_sub", "ScatterSubtract"),
    ("tensor_scatter_nd_max", "ScatterMax"),
    ("tensor_scatter_nd_min", "ScatterMin"),
    ("unsorted_segment_sum", "SegmentSum"),
    ("unsorted_segment_prod", "SegmentProd"),
    ("unsorted_segment_max", "SegmentMax"),
    ("unsorted_segment_min", "SegmentMin"),
    ("unsorted_segment_mean", "SegmentMean"),
    ("unsorted_segment_sqrt_n", "SegmentSqrtN"),
    ("searchsorted", "SearchSorted"),
    ("bincount", "Bincount"),
    ("histogram_fixed_width", "HistogramFixedWidth"),
    ("histogram_fixed_width_bins", "HistogramFixedWidthBins"),
    ("in_top_k", "InTopK"),
    ("confusion_matrix", "ConfusionMatrix"),
    ("invert_permutation", "InvertPermutation"),
    ("unravel_index", "UnravelIndexTogether"),
    ("is_non_decreasing", "IsNonDecreasing"),
    ("is_strictly_increasing", "IsStrictlyIncreasing"),
    ("reverse_sequence", "ReverseSequence"),
    ("cumulative_logsumexp", "CumulativeLogsumexp"),
    ("erfinv", "Erfinv"),
    ("erfcinv", "Erfcinv"),
    ("ndtri", "Ndtri"),
    ("lgamma", "Lgamma"),
    ("digamma", "Digamma"),
    ("lbeta", "Lbeta"),
    ("bessel_i0", "I0"),
    ("bessel_i0e", "BesselI0e"),
    ("bessel_i1", "BesselI1"),
    ("bessel_i1e", "BesselI1e"),
    ("special.bessel_i0", "I0"),
    ("special.bessel_i0e", "BesselI0e"),
    ("special.bessel_i1", "BesselI1"),
    ("special.bessel_i1e", "BesselI1e"),
    ("special.bessel_j0", "BesselJ0"),
    ("special.bessel_j1", "BesselJ1"),
    ("special.bessel_y0", "BesselY0"),
    ("special.bessel_y1", "BesselY1"),
    ("special.bessel_k0", "BesselK0"),
    ("special.bessel_k0e", "BesselK0e"),
    ("special.bessel_k1", "BesselK1"),
    ("special.bessel_k1e", "BesselK1e"),
    ("special.dawsn", "Dawsn"),
    ("special.expint", "Expint"),
    ("special.fresnel_cos", "FresnelCos"),
    ("special.fresnel_sin", "FresnelSin"),
    ("special.spence", "Spence"),
    ("igamma", "Igamma"),
    ("igammac", "Igammac"),
    ("betainc", "Betainc"),
    ("zeta", "Zeta"),
    ("polygamma", "Polygamma"),
    ("nextafter", "NextAfter"),
    ("real", "Real"),
    ("imag", "Imag"),
    ("conj", "Conj"),
    ("angle", "Angle"),
    ("adjoint", "Swapaxes"),
    ("det", "Det"),
    ("slogdet", "Slogdet"),
    ("logdet", "Logdet"),
    ("inv", "Inv"),
    ("solve", "Solve"),
    ("triangular_solve", "SolveTriangular"),
    ("cholesky", "Cholesky"),
    ("cholesky_solve", "CholeskySolve"),
    ("lu", "LuTaken"),
    ("qr", "Qr"),
    ("eigh", "Eigh"),
    ("eigvalsh", "Eigvalsh"),
    ("self_adjoint_eig", "Eigh"),
    ("self_adjoint_eigvals", "Eigvalsh"),
    ("eigh_tridiagonal", "EighTridiagonal"),
    ("svd", "SingularValuesFirst"),
    ("pinv", "Pinv"),
    ("matrix_rank", "MatrixRank"),
    ("lstsq", "NormalEquations"),
    ("expm", "MatrixExponential"),
    ("sqrtm", "MatrixSquareRoot"),
    ("lu_solve", "LuSolve"),
    ("lu_reconstruct", "LuReconstruct"),
    ("lu_matrix_inverse", "LuMatrixInverse"),
    ("tridiagonal_solve", "TridiagonalSolve"),
    ("tridiagonal_matmul", "TridiagonalMatmul"),
    ("dilation2d", "Dilation2D"),
    ("erosion2d", "Erosion2D"),
    ("sparse_softmax_cross_entropy_with_logits", "SparseSoftmaxCrossEntropy"),
    ("image.crop_and_resize", "CropAndResize"),
    ("image.resize_bicubic", "ResizeBicubic"),
    ("image.resize_area", "ResizeArea"),
    ("image.resize_with_pad", "ResizeWithPad"),
    ("image.sobel_edges", "SobelEdges"),
    ("signal.overlap_and_add", "OverlapAdd"),
    ("keras.backend.sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
    ("max_pool_with_argmax", "MaxPoolWithArgmax"),
    ("atrous_conv2d_transpose", "ConvTransposeTo"),
    ("weighted_cross_entropy_with_logits", "WeightedCrossEntropy"),
    ("log_poisson_loss", "LogPoissonLoss"),
    ("losses.compute_weighted_loss", "WeightedLoss"),
    ("losses.sigmoid_cross_entropy", "SigmoidCrossEntropyLoss"),
    ("losses.softmax_cross_entropy", "SoftmaxCrossEntropyLoss"),
    ("losses.sparse_softmax_cross_entropy", "SparseSoftmaxCrossEntropyLoss"),
    ("weighted_moments", "WeightedMoments"),
    ("sufficient_statistics", "SufficientStatistics"),
    ("global_norm", "GlobalNorm"),
    ("clip_by_global_norm", "ClipByGlobalNorm"),
    ("image.psnr", "PSNROfEach"),
    ("image.ssim", "SSIMOfEach"),
    ("image.ssim_multiscale", "SSIMMultiscale"),
    ("image.extract_glimpse", "ExtractGlimpse"),
    ("tensor_diag", "TensorDiag"),
    ("tensor_diag_part", "TensorDiagPart"),
    ("image.combined_non_max_suppression", "CombinedNonMaxSuppression"),
    ("image.non_max_suppression_padded", "NonMaxSuppressionPadded"),
    ("ctc_loss", "CTCLoss"),
    ("ctc_loss_v2", "CTCLoss"),
    ("compat.v1.nn.ctc_loss", "OldCTCLoss"),
    ("keras.backend.ctc_label_dense_to_sparse", "CTCLabels"),
    ("keras.backend.ctc_decode", "CTCDecodeProbabilities"),
];

/// A function's name without its module.
fn last(function: &str) -> &str {
    function.rsplit('.').next().unwrap_or(function)
}

/// A function's name without the prefix `compat.v1.`.
fn bare(function: &str) -> &str {
    function.strip_prefix("compat.v1.").unwrap_or(function)
}

/// Keras 3's name of a TensorFlow function.
fn operation(function: &str) -> Option<&'static str> {
    // A `compat.v1` function may take its arguments in another order.
    if let Some(&(_, operation)) = FUNCTIONS.iter().find(|(known, _)| *known == function) {
        return Some(operation);
    }
    let name = bare(function);
    // Functions are in several modules: `math.add`, `add`; `nn.tanh`, `math.tanh`.
    let (home, last) = name.rsplit_once('.').unwrap_or(("", name));
    let name = match home {
        "" | "math" | "nn" | "linalg" | "__operators__" | "dtypes" | "bitwise" | "debugging" => last,
        _ => name.strip_prefix("math.").unwrap_or(name),
    };
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
        let config = json!({"function": "math.reduce_summ"});
        let error = read("TFOpLambda", config.as_object().unwrap(), &ReadCx::new(&producer)).unwrap_err();
        let message = "`TFOpLambda` calls the TensorFlow function `math.reduce_summ`, which is not supported; did you mean \
                       `reduce_sum`?";
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
