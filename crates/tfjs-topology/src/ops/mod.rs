//! Operations on tensors that are nodes of a graph: Keras 3's operation nodes and Keras 2's
//! `TFOpLambda`, parsed into one set of operations.
//!
//! The class name of an operation may also be that of a layer (`Add`), so operations have a separate list.

pub mod aggregates;
pub(crate) mod args;
pub mod arrange;
pub mod bessel;
pub mod binary;
pub mod blocks;
pub mod color;
pub mod compare;
pub mod complex;
pub mod contract;
pub mod cosine;
pub mod ctc;
pub mod decompose;
pub mod diagonal;
pub mod einsum;
pub mod elementary;
pub mod fill;
pub mod filters;
pub mod gamma;
pub mod gather;
pub mod glimpse;
pub mod image;
mod images;
pub mod integrals;
mod jacobi;
pub mod join;
pub mod linspace;
pub mod losses;
pub mod matmul;
pub mod matrices;
pub mod matrix_functions;
pub mod nan;
pub mod narrow;
pub mod neural;
pub mod order;
pub mod pad;
pub mod pairs;
pub(crate) mod params;
pub mod pool_argmax;
pub mod quality;
pub mod quantile;
pub mod reduce;
pub(crate) mod refused;
pub mod scatter;
pub mod search;
pub mod select;
pub mod series;
pub mod several;
pub mod shape;
pub mod sizes;
pub mod slice;
pub mod special;
pub mod spectrum;
pub mod split;
pub mod statistics;
pub mod suppress;
pub mod tapers;
pub(crate) mod tf_lambda;
pub mod tf_op_layer;
pub mod tridiagonal;
pub mod unary;
pub mod unstack;
pub mod warp;
pub mod windows;

#[cfg(test)]
pub(crate) mod testing;

use crate::config::Config;
use crate::layer::LayerDef;
use crate::read::ReadCx;
use serde_json::{Map, Value};
use std::sync::Arc;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result};

/// Calls a macro with every operation: `file::Type = "ClassName" | "OtherClassName";`, Keras 3's names.
#[macro_export]
macro_rules! for_each_op {
    ($callback:path) => {
        $callback! {
            binary::Binary = "Add" | "Subtract" | "Multiply" | "TrueDivide" | "Divide" | "FloorDivide" | "Mod"
                | "Power" | "SquaredDifference" | "Maximum" | "Minimum";
            compare::Compare = "Equal" | "NotEqual" | "Greater" | "GreaterEqual" | "Less" | "LessEqual"
                | "LogicalAnd" | "LogicalOr" | "LogicalXor";
            unary::Unary = "Relu" | "Relu6" | "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Gelu" | "Silu" | "HardSilu"
                | "Sigmoid" | "HardSigmoid" | "LogSigmoid" | "Tanh" | "HardTanh" | "Softplus" | "Softsign" | "Softmax"
                | "LogSoftmax" | "Abs" | "Absolute" | "Negative" | "Square" | "Sign" | "Clip" | "Exp" | "Expm1" | "Log"
                | "Log1p" | "Sqrt" | "Rsqrt" | "Reciprocal" | "Sin" | "Cos" | "Erf" | "Floor" | "Ceil" | "Round" | "Fabs" | "Tan"
                | "Arcsin" | "Arccos" | "Arctan" | "Sinh" | "Cosh" | "Arcsinh" | "Arccosh" | "Arctanh" | "Glu"
                | "HardShrink" | "SoftShrink" | "TanhShrink" | "Threshold" | "Squareplus" | "SparsePlus" | "SparseSigmoid"
                | "Sparsemax";
            elementary::Elementary = "Log2" | "Log10" | "Exp2" | "Cbrt" | "Sinc" | "Trunc" | "Deg2rad" | "Rad2deg" | "Erfc"
                | "ReciprocalNoNan" | "Isnan" | "Isinf" | "Isposinf" | "Isneginf" | "Isfinite" | "NanToNum" | "Signbit"
                | "BitwiseInvert" | "BitwiseNot" | "Angle" | "Imag" | "Isreal" | "Crelu";
            pairs::Pair = "Arctan2" | "Logaddexp" | "Logaddexp2" | "Hypot" | "Heaviside" | "Fmax" | "Fmin" | "Fmod"
                | "DivideNoNan" | "MultiplyNoNan" | "Xlogy" | "Xlog1py" | "Div" | "TruncateDiv" | "Xdivy" | "Ldexp" | "Isclose" | "AllClose" | "BitwiseAnd" | "BitwiseOr"
                | "BitwiseXor" | "BitwiseLeftShift" | "LeftShift" | "BitwiseRightShift" | "RightShift"
                | "SigmoidCrossEntropy" | "NextAfter" | "Nextafter";
            statistics::Statistic = "Var" | "Std" | "Moments" | "Logsumexp" | "Ptp" | "CountNonzero" | "ZeroFraction"
                | "Average" | "Norm" | "Normalize" | "WithNorm" | "L2Normalize" | "L2Loss" | "ClipByNorm";
            order::Order = "Argmax" | "Argmin" | "Sort" | "Argsort" | "TopK" | "Cumsum" | "Cumprod" | "Diff"
                | "Argpartition";
            reduce::Reduce = "Sum" | "Mean" | "IntegerMean" | "Max" | "Amax" | "Min" | "Amin" | "Prod" | "Any" | "All";
            shape::Rearrange = "Reshape" | "Transpose" | "Squeeze" | "ExpandDims" | "Tile";
            join::Join = "Concatenate" | "Stack";
            several::Several = "Hstack" | "ColumnStack" | "Vstack" | "Dstack" | "Append" | "Meshgrid" | "AddN" | "IdentityN";
            slice::GetItem = "GetItem" | "Slice" | "StridedSlice";
            split::Split = "Split" | "ArraySplit" | "Hsplit" | "Vsplit" | "Dsplit" | "SplitLengths";
            arrange::Arrange = "Flip" | "Fliplr" | "Flipud" | "Roll" | "Repeat" | "Swapaxes" | "Moveaxis" | "Ravel"
                | "BatchFlatten" | "Rot90";
            pad::Pad = "Pad";
            diagonal::Diagonal = "Tril" | "Triu" | "BandPart" | "Diagonal" | "Trace" | "MatrixDiag" | "Diag" | "Diagflat"
                | "SetDiag" | "TensorDiag" | "TensorDiagPart";
            gather::Gather = "Take" | "TakeAlongAxis" | "Gather" | "GatherNd" | "OneHot" | "MultiHot";
            contract::Contract = "Dot" | "Inner" | "Outer" | "Vdot" | "Tensordot" | "Cross";
            select::Make = "Cast" | "SaturateCast" | "ConvertToTensor" | "Array" | "View" | "Identity" | "StopGradient" | "Copy" | "Real"
                | "Conj" | "Conjugate" | "ZerosLike" | "EmptyLike" | "OnesLike" | "LogicalNot";
            select::Where = "Where";
            select::Choose = "Select";
            select::Switch = "SwitchTensors" | "OldWhere";
            matmul::Matmul = "Matmul";
            einsum::Einsum = "Einsum";
            sizes::Shape = "Shape" | "Size" | "Rank" | "Ndim";
            fill::Fill = "Fill" | "Full" | "FullLike" | "Zeros" | "Ones" | "Eye" | "BroadcastTo";
            fill::Range = "Range" | "Arange";
            linspace::Linspace = "Linspace" | "Logspace" | "Geomspace";
            blocks::Blocks = "SpaceToBatch" | "BatchToSpace";
            windows::Sliding = "Conv" | "DepthwiseConv" | "SeparableConv" | "ConvTranspose" | "ConvTransposeTo" | "Pool"
                | "MaxPool" | "AveragePool" | "ExtractPatches";
            image::Image = "Resize" | "ResizeTo" | "ResizeOld" | "ResizeBilinear" | "ResizeNearest" | "ResizeBicubic" | "ResizeArea" | "ResizeWithPad" | "ResizeWithPadOld" | "PadImages" | "CropImages" | "CropToBox"
                | "PadToBox" | "CentralCrop" | "CropOrPad" | "FlipLeftRight" | "FlipUpDown" | "TransposeImage" | "DepthToSpace"
                | "SpaceToDepth";
            color::Color = "RGBToGrayscale" | "GrayscaleToRGB" | "RGBToHSV" | "HSVToRGB" | "RGBToYUV" | "YUVToRGB" | "RGBToYIQ" | "YIQToRGB"
                | "PerImageStandardization" | "AdjustContrast" | "AdjustBrightness" | "AdjustGamma" | "AdjustSaturation"
                | "AdjustHue" | "ConvertImageDtype";
            neural::Neural = "BatchNorm" | "FusedBatchNorm" | "XwPlusB" | "ReluLayer" | "LayerNorm" | "RMSNorm" | "DotProductAttention" | "BiasAdd" | "LocalResponseNorm"
                | "CategoricalCrossentropy" | "SoftmaxCrossEntropy" | "BinaryCrossentropy" | "SparseCategoricalCrossentropy"
                | "SparseSoftmaxCrossEntropy" | "SequenceMask" | "CDist";
            unstack::Unstack = "Unstack";
            scatter::Scatter = "Scatter" | "ScatterUpdate" | "ScatterReplace" | "ScatterAdd" | "ScatterSubtract" | "ScatterMax"
                | "ScatterMin" | "SliceUpdate" | "SegmentSum" | "SegmentProd" | "SegmentMax" | "SegmentMin" | "SegmentMean"
                | "SegmentSqrtN";
            quantile::Quantile = "Median" | "Quantile" | "Percentile" | "Nanmedian" | "Nanquantile" | "Nanpercentile";
            nan::Nan = "Nansum" | "Nanprod" | "Nanmax" | "Nanmin" | "Nanmean" | "Nanvar" | "Nanstd" | "Nanargmax" | "Nanargmin"
                | "Nancumsum" | "Nancumprod";
            search::Search = "SearchSorted" | "Digitize" | "Bincount" | "Histogram" | "HistogramFixedWidth"
                | "HistogramFixedWidthBins" | "InTopK" | "InTopKOfPredictions" | "IsIn" | "ConfusionMatrix"
                | "InvertPermutation" | "UnravelIndex" | "UnravelIndexTogether" | "IsNonDecreasing" | "IsStrictlyIncreasing";
            series::Series = "ReverseSequence" | "CumulativeLogsumexp" | "Trapezoid" | "Kron" | "Vander" | "Corrcoef"
                | "Correlate" | "Gcd" | "Lcm" | "Polyval";
            special::Special = "Erfinv" | "Erfcinv" | "Ndtri" | "Lgamma" | "Digamma" | "Lbeta" | "I0" | "BesselI0e" | "BesselI1"
                | "BesselI1e";
            bessel::Bessel = "BesselJ0" | "BesselJ1" | "BesselY0" | "BesselY1" | "BesselK0" | "BesselK0e" | "BesselK1" | "BesselK1e";
            integrals::Integral = "Dawsn" | "Expint" | "FresnelCos" | "FresnelSin" | "Spence";
            gamma::Gamma = "Igamma" | "Igammac" | "Betainc" | "Zeta" | "Polygamma";
            spectrum::Spectrum = "FFT" | "FFT2" | "IFFT2" | "RFFT" | "IRFFT" | "STFT" | "ISTFT" | "ExtractSequences"
                | "OverlapAdd";
            cosine::Cosine = "DCT" | "IDCT" | "MDCT" | "InverseMDCT" | "MelCepstrum";
            tapers::Taper = "HannWindow" | "HammingWindow" | "KaiserWindow" | "KaiserBesselDerivedWindow" | "VorbisWindow";
            complex::ComplexSpectrum = "ComplexOfParts" | "ComplexStft" | "ComplexInverseStft" | "ComplexFft" | "ComplexInverseFft"
                | "ComplexFft2" | "ComplexInverseFft2" | "ComplexFft3" | "ComplexInverseFft3" | "ComplexOfReal" | "ComplexOfReal2"
                | "ComplexOfReal3" | "RealOfComplex" | "RealOfComplex2" | "RealOfComplex3" | "Polar" | "ViewAsComplex"
                | "ViewAsReal" | "FFTShift" | "IFFTShift";
            matrices::Matrices = "Det" | "Slogdet" | "Logdet" | "Inv" | "Solve" | "SolveTriangular" | "Cholesky"
                | "CholeskyInverse" | "CholeskySolve" | "LuFactor" | "LuTaken" | "Qr" | "MatrixPower";
            decompose::Decompose = "Eigh" | "Eigvalsh" | "EighTridiagonal" | "SVD" | "SingularValuesFirst" | "Pinv" | "MatrixRank"
                | "Lstsq" | "NormalEquations";
            matrix_functions::MatrixFunction = "MatrixExponential" | "MatrixSquareRoot" | "LuSolve" | "LuReconstruct"
                | "LuMatrixInverse";
            tridiagonal::Tridiagonal = "TridiagonalSolve" | "TridiagonalMatmul";
            filters::Filter = "GaussianBlur" | "SobelEdges" | "Dilation2D" | "Erosion2D" | "Unfold" | "Fold" | "AdaptiveMaxPool"
                | "AdaptiveAveragePool";
            warp::Warp = "AffineTransform" | "PerspectiveTransform" | "MapCoordinates" | "CropAndResize" | "ScaleAndTranslate";
            losses::Loss = "WeightedCrossEntropy" | "LogPoissonLoss" | "WeightedLoss" | "SigmoidCrossEntropyLoss"
                | "SoftmaxCrossEntropyLoss" | "SparseSoftmaxCrossEntropyLoss" | "CategoricalFocalCrossentropy" | "Hinge"
                | "SquaredHinge";
            aggregates::Aggregate = "WeightedMoments" | "SufficientStatistics" | "GlobalNorm" | "ClipByGlobalNorm";
            quality::Quality = "PSNR" | "PSNROfEach" | "SSIM" | "SSIMOfEach" | "SSIMMultiscale";
            glimpse::Glimpse = "ExtractGlimpse";
            pool_argmax::PoolWithArgmax = "MaxPoolWithArgmax";
            suppress::Suppression = "CombinedNonMaxSuppression" | "NonMaxSuppressionPadded";
            ctc::Ctc = "CTCLoss" | "OldCTCLoss" | "CTCLabels" | "CTCDecode" | "CTCDecodeProbabilities";
            tf_op_layer::TensorFlowOp = "TensorFlowOpLayer";
        }
    };
}

/// Parses an operation from its configuration.
pub trait FromOpConfig: LayerDef + Sized {
    /// Reads the configuration; `class` distinguishes the operations that a type implements.
    ///
    /// # Errors
    /// A missing or wrong field, at its JSON path.
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self>;
}

macro_rules! declare {
    ($($file:ident :: $type:ident = $($class:literal)|+ ;)*) => {
        /// An operation of one of the known classes.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Op {
            $(
                #[doc = concat!("See [`", stringify!($type), "`](crate::ops::", stringify!($file), "::", stringify!($type), ").")]
                $type(Arc<$file::$type>),
            )*
        }

        /// Every operation's name, in the order of the list.
        pub const OPS: &[&str] = &[$($($class),+),*];

        impl Op {
            fn read_known(class: &str, config: &Config<'_>) -> Option<Result<Op>> {
                Some(match class {
                    $($($class)|+ => $file::$type::from_config(class, config).map(|op| Op::$type(Arc::new(op))),)*
                    _ => return None,
                })
            }

            /// The definition.
            pub fn def(&self) -> &dyn LayerDef {
                match self {
                    $(Op::$type(op) => &**op,)*
                }
            }
        }
    };
}
for_each_op!(declare);

impl Op {
    /// Parses an operation by its class name in Keras 3.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an unknown one, with the nearest known name.
    pub fn read(class: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Op> {
        Op::read_known(class, &Config::new(map, cx)).unwrap_or_else(|| {
            if let Some(why) = refused::why(class) {
                return Err(Error::unsupported(format!("operation `{class}` is not supported: {why}")));
            }
            if class == "Lambda" {
                return Err(crate::registry::unknown(class, cx));
            }
            let hint = cx.hints.nearest(class, OPS.iter().copied());
            Err(Error::unsupported(format!("unknown operation `{}`{hint}", shorten(class))))
        })
    }
}
