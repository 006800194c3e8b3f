//! The list of layers. All code that depends on the set of layers is generated from it, so a listed class that cannot
//! be parsed, lowered or written does not compile.

use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers;
use crate::read::ReadCx;
use serde_json::{Map, Value};
use std::sync::Arc;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result, Setting};

/// Calls a macro with every layer: `family::file::Type = "ClassName" | "OtherClassName";`.
///
/// The path is that of the layer's file in `layers`.
#[macro_export]
macro_rules! for_each_layer {
    ($callback:path) => {
        $callback! {
            core::dense::Dense = "Dense";
            core::activation::ActivationLayer = "Activation";
            core::einsum_dense::EinsumDense = "EinsumDense";
            core::embedding::Embedding = "Embedding";
            core::masking::Masking = "Masking";
            core::dropout::Dropout = "Dropout" | "SpatialDropout1D" | "SpatialDropout2D" | "SpatialDropout3D";
            core::noise::Noise = "GaussianNoise" | "GaussianDropout";
            core::alpha_dropout::AlphaDropout = "AlphaDropout";
            core::activity::ActivityRegularization = "ActivityRegularization";
            core::identity::Identity = "Identity";
            core::maxout::MaxoutDense = "MaxoutDense";
            core::highway::Highway = "Highway";
            activation::relu::Relu = "ReLU" | "LeakyReLU" | "ThresholdedReLU";
            activation::elu::Elu = "ELU";
            activation::prelu::PRelu = "PReLU";
            activation::softmax::Softmax = "Softmax";
            activation::parametric_softplus::ParametricSoftplus = "ParametricSoftplus";
            activation::srelu::SRelu = "SReLU";
            conv::conv::Conv = "Conv1D" | "Conv2D" | "Conv3D";
            conv::depthwise::DepthwiseConv = "DepthwiseConv1D" | "DepthwiseConv2D";
            conv::separable::SeparableConv = "SeparableConv1D" | "SeparableConv2D";
            conv::transpose::ConvTranspose = "Conv1DTranspose" | "Conv2DTranspose" | "Conv3DTranspose";
            conv::local::LocallyConnected = "LocallyConnected1D" | "LocallyConnected2D";
            pool::window::Pool = "MaxPooling1D" | "MaxPooling2D" | "MaxPooling3D"
                | "AveragePooling1D" | "AveragePooling2D" | "AveragePooling3D";
            pool::global::GlobalPool = "GlobalMaxPooling1D" | "GlobalMaxPooling2D" | "GlobalMaxPooling3D"
                | "GlobalAveragePooling1D" | "GlobalAveragePooling2D" | "GlobalAveragePooling3D";
            pool::adaptive::AdaptivePool = "AdaptiveMaxPooling1D" | "AdaptiveMaxPooling2D" | "AdaptiveMaxPooling3D"
                | "AdaptiveAveragePooling1D" | "AdaptiveAveragePooling2D" | "AdaptiveAveragePooling3D";
            norm::batch::BatchNormalization = "BatchNormalization";
            norm::layer::LayerNormalization = "LayerNormalization";
            norm::unit::UnitNormalization = "UnitNormalization";
            norm::group::GroupNormalization = "GroupNormalization" | "Addons>GroupNormalization"
                | "Addons>InstanceNormalization";
            norm::rms::RmsNormalization = "RMSNormalization";
            norm::spectral::SpectralNormalization = "SpectralNormalization";
            norm::feature::Normalization = "Normalization";
            norm::scale::LayerScale = "LayerScale";
            merge::arithmetic::Merge = "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum";
            merge::concatenate::Concatenate = "Concatenate";
            merge::dot::Dot = "Dot";
            merge::cosine::Cosine = "Merge";
            shape::flatten::Flatten = "Flatten";
            shape::reshape::Reshape = "Reshape";
            shape::permute::Permute = "Permute";
            shape::repeat::RepeatVector = "RepeatVector";
            shape::pad::ZeroPadding = "ZeroPadding1D" | "ZeroPadding2D" | "ZeroPadding3D";
            shape::crop::Cropping = "Cropping1D" | "Cropping2D" | "Cropping3D";
            shape::upsample::UpSampling = "UpSampling1D" | "UpSampling2D" | "UpSampling3D";
            image::rescaling::Rescaling = "Rescaling";
            image::resizing::Resizing = "Resizing";
            image::crop::Crop = "CenterCrop" | "RandomCrop";
            image::contrast::AutoContrast = "AutoContrast";
            image::clahe::Clahe = "ContrastLimitedAdaptiveHistogramEqualization";
            image::augment::Augmentation = "RandomFlip" | "RandomRotation" | "RandomZoom" | "RandomTranslation"
                | "RandomContrast" | "RandomBrightness" | "RandomHeight" | "RandomWidth" | "RandomShear" | "RandomHue"
                | "RandomSaturation" | "RandomSharpness" | "RandomGrayscale" | "RandomPosterization"
                | "RandomColorDegeneration" | "RandomColorJitter" | "RandomErasing" | "RandomGaussianBlur"
                | "RandomInvert" | "RandomPerspective" | "RandomElasticTransform" | "RandAugment" | "AugMix" | "MixUp"
                | "CutMix" | "Solarization" | "Equalization" | "MaxNumBoundingBoxes";
            rnn::recurrent::Recurrent = "LSTM" | "GRU" | "SimpleRNN" | "RNN" | "CuDNNLSTM" | "CuDNNGRU";
            rnn::conv_lstm::ConvLstm = "ConvLSTM1D" | "ConvLSTM2D" | "ConvLSTM3D";
            attention::multi_head::MultiHeadAttention = "MultiHeadAttention" | "CachedMultiHeadAttention";
            attention::grouped::GroupQueryAttention = "GroupQueryAttention" | "GroupedQueryAttention";
            attention::dense::DenseAttention = "Attention" | "AdditiveAttention";
            language::position::PositionEmbedding = "PositionEmbedding";
            language::sine::SinePositionEncoding = "SinePositionEncoding";
            language::rotary::RotaryEmbedding = "RotaryEmbedding";
            language::reversible::ReversibleEmbedding = "ReversibleEmbedding";
            language::tokens::TokenAndPositionEmbedding = "TokenAndPositionEmbedding";
            language::encoder::TransformerEncoder = "TransformerEncoder";
            language::decoder::TransformerDecoder = "TransformerDecoder";
            text::lookup::Lookup = "StringLookup" | "IntegerLookup";
            text::vectorization::TextVectorization = "TextVectorization";
            text::category::CategoryEncoding = "CategoryEncoding";
            text::discretization::Discretization = "Discretization";
            text::hashing::Hashing = "Hashing";
            text::crossing::HashedCrossing = "HashedCrossing";
            signal::mel::MelSpectrogram = "MelSpectrogram";
            signal::stft::StftSpectrogram = "STFTSpectrogram";
            wrap::bidirectional::Bidirectional = "Bidirectional";
            wrap::time_distributed::TimeDistributed = "TimeDistributed";
            wrap::wrapper::Wrapper = "Wrapper";
        }
    };
}

/// A layer of the list: parses its configuration, and states which of its classes exist in TensorFlow.js.
pub trait FromConfig: LayerDef + Sized {
    /// The classes of the layer that TensorFlow.js 4.22 has; the others are written with a warning.
    const IN_TENSORFLOW_JS: &'static [&'static str];

    /// Parses the configuration; `class` distinguishes the variants.
    ///
    /// # Errors
    /// A missing or wrong field, at its JSON path.
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self>;
}

macro_rules! declare {
    ($($family:ident :: $file:ident :: $type:ident = $($class:literal)|+ ;)*) => {
        /// A layer of a known class, or a custom one.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Layer {
            $(
                #[doc = concat!("See [`", stringify!($type), "`](crate::layers::", stringify!($family), "::", stringify!($file), "::", stringify!($type), ").")]
                $type(Arc<layers::$family::$file::$type>),
            )*
            /// A custom layer.
            Custom(Arc<dyn LayerDef>),
        }

        /// Every class name, in the order of the list.
        pub const CLASSES: &[&str] = &[$($($class),+),*];

        /// Whether TensorFlow.js 4.22 has a layer of this class.
        pub fn is_in_tensorflow_js(class: &str) -> bool {
            [$(layers::$family::$file::$type::IN_TENSORFLOW_JS),*].iter().any(|known| known.contains(&class))
        }

        impl Layer {
            fn read_known(class: &str, config: &Config<'_>) -> Option<Result<Layer>> {
                Some(match class {
                    $($($class)|+ => layers::$family::$file::$type::from_config(class, config).map(|l| Layer::$type(Arc::new(l))),)*
                    _ => return None,
                })
            }

            /// Whether TensorFlow.js 4.22 has this class of the layer.
            pub(crate) fn is_in_tensorflow_js(&self, class: &str) -> bool {
                !matches!(self, Layer::Custom(_)) && is_in_tensorflow_js(class)
            }

            /// The layer definition.
            pub fn def(&self) -> &dyn LayerDef {
                match self {
                    $(Layer::$type(layer) => &**layer,)*
                    Layer::Custom(layer) => &**layer,
                }
            }
        }
    };
}
for_each_layer!(declare);

/// A parsed layer, and the keys that were not read.
#[derive(Clone, Debug)]
pub struct ReadLayer {
    /// The layer.
    pub layer: Layer,
    /// Configuration keys with a value that the layer does not have.
    pub ignored: Vec<String>,
}

impl Layer {
    /// Parses a custom layer or one of a known class.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an unknown class, with the nearest known
    /// name; errors of the layer's own parser.
    pub fn read(class: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<ReadLayer> {
        let config = Config::new(map, cx);
        let layer = match cx.custom.get(class) {
            Some(describe) => describe(&config).map(Layer::Custom)?,
            None => Layer::read_known(built_in_name(class), &config).unwrap_or_else(|| Err(unknown(class, cx)))?,
        };
        // Only built-in layers read all keys they know, so unread keys of custom layers are not reported.
        let ignored = if matches!(layer, Layer::Custom(_)) { Vec::new() } else { config.ignored() };
        Ok(ReadLayer { layer, ignored })
    }
}

/// The plain name of a class. Keras writes some built-in classes with a package: `Keras>Dense`, `keras.layers>Dense`;
/// KerasNLP and KerasHub register theirs with one. TensorFlow 1.13 to 2.2 added a version to some names.
pub(crate) fn built_in_name(class: &str) -> &str {
    let name = match class.rsplit_once('>') {
        Some(("Keras" | "keras" | "keras.layers" | "keras_nlp" | "keras_hub", name)) => name,
        _ => class,
    };
    match name {
        // The statistics of several devices are averaged in training only.
        "BatchNormalizationV1" | "BatchNormalizationV2" | "SyncBatchNormalization" => "BatchNormalization",
        // TensorFlow 1.13 and its previews wrote these for layers that use cuDNN automatically.
        "UnifiedLSTM" | "LSTMV1" | "LSTMV2" => "LSTM",
        "UnifiedGRU" | "GRUV1" | "GRUV2" => "GRU",
        // Keras 3's `FeatureSpace` writes these for its own layers that compute the same.
        "TFDConcat" => "Concatenate",
        "TFDIdentity" => "Identity",
        name => name,
    }
}

/// The error of a class that is not known, with the nearest known name.
pub(crate) fn unknown(class: &str, cx: &ReadCx<'_>) -> Error {
    if class == "Lambda" {
        return Error::unsupported(format!(
            "a `Lambda` layer contains Python code, which is never run: replace it in Keras by layers or operations and \
             convert the model again, or give a layer of your own for the class `Lambda` in {}",
            Setting::CustomLayers
        ));
    }
    let hint = cx.hints.nearest(class, CLASSES.iter().copied().chain(cx.custom.names()));
    Error::unsupported(format!(
        "unknown layer class `{}`{hint}; a layer of your own is given in {}",
        shorten(class),
        Setting::CustomLayers
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::{Family, Producer};
    use crate::testing::{after_input, encoded};
    use serde_json::json;
    use tfjs_manifest::Kind;

    macro_rules! check_known {
        ($($family:ident :: $file:ident :: $type:ident = $($class:literal)|+ ;)*) => {
            $(for class in layers::$family::$file::$type::IN_TENSORFLOW_JS {
                assert!([$($class),+].contains(class), "`{class}` is no class of `{}`", stringify!($type));
            })*
        };
    }

    #[test]
    fn what_tensorflow_js_knows_is_listed() {
        for_each_layer!(check_known);
    }

    #[test]
    fn every_class_that_is_listed_is_told_apart() {
        let config = json!({"layer": {"class_name": "LSTM", "config": {"units": 1}}, "kernel_size": 1, "filters": 1});
        let producer = Producer::of(Family::Keras2);
        for class in CLASSES {
            let read = Layer::read(class, config.as_object().unwrap(), &ReadCx::new(&producer));
            assert!(read.as_ref().err().is_none_or(|e| e.kind() != Kind::Bug), "{class}: {read:?}");
        }
    }

    #[test]
    fn names_of_old_versions() {
        for class in ["BatchNormalizationV1", "BatchNormalizationV2", "Keras>BatchNormalization"] {
            let warnings: [&str; 0] = [];
            let model = after_input(&json!([null, 4]), class, &json!({}));
            let found = encoded(Family::Keras2, &model);
            assert_eq!(found.topology["config"]["layers"][1]["class_name"], "BatchNormalization");
            assert_eq!(found.warnings, warnings);
        }
    }
}
