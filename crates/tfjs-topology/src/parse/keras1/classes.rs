//! The classes and arguments of Keras 1 with the names they have had since Keras 2.
//!
//! Reference: `keras/layers` of Keras 1.2.2; `keras/legacy/interfaces.py` of Keras 2.2.4.

/// A class of Keras 1.
pub(super) struct Class {
    /// Its name in Keras 1.
    pub old: &'static str,
    /// Its name since.
    pub new: &'static str,
    /// Its arguments in Keras 1 with their names since; an empty one is not needed any more.
    pub keys: &'static [Keys],
}

/// Arguments that several classes share.
pub(super) type Keys = &'static [(&'static str, &'static str)];

/// What Keras 1 has an argument for each axis for.
pub(super) const KERNEL_SIZE: &str = "kernel_size";

const KERNEL: Keys = &[
    ("init", "kernel_initializer"),
    ("W_regularizer", "kernel_regularizer"),
    ("b_regularizer", "bias_regularizer"),
    ("W_constraint", "kernel_constraint"),
    ("b_constraint", "bias_constraint"),
    ("bias", "use_bias"),
];
const UNITS: Keys = &[("output_dim", "units")];
const RATE: Keys = &[("p", "rate")];
const FORMAT: Keys = &[("dim_ordering", "data_format")];
const WINDOWS: Keys = &[("nb_filter", "filters"), ("border_mode", "padding"), ("atrous_rate", "dilation_rate")];
/// Windows over one axis.
const LENGTH: Keys = &[("filter_length", KERNEL_SIZE), ("subsample_length", "strides")];
/// Over two.
const SQUARE: Keys = &[("nb_row", KERNEL_SIZE), ("nb_col", KERNEL_SIZE), ("subsample", "strides")];
/// Over three.
const CUBE: Keys = &[
    ("kernel_dim1", KERNEL_SIZE),
    ("kernel_dim2", KERNEL_SIZE),
    ("kernel_dim3", KERNEL_SIZE),
    ("subsample", "strides"),
];
const SEPARABLE: Keys =
    &[("init", "depthwise_initializer"), ("b_regularizer", "bias_regularizer"), ("bias", "use_bias")];
const TRANSPOSED: Keys = &[("output_shape", "output_lengths")];
const POOL: Keys = &[("border_mode", "padding")];
const POOL_LENGTH: Keys = &[("pool_length", "pool_size"), ("stride", "strides")];
const STEPS: Keys = &[
    ("output_dim", "units"),
    ("init", "kernel_initializer"),
    ("inner_init", "recurrent_initializer"),
    ("inner_activation", "recurrent_activation"),
    ("W_regularizer", "kernel_regularizer"),
    ("U_regularizer", "recurrent_regularizer"),
    ("b_regularizer", "bias_regularizer"),
    ("dropout_W", "dropout"),
    ("dropout_U", "recurrent_dropout"),
    ("forget_bias_init", ""),
    ("consume_less", ""),
];
/// Here `output_dim` is no old name.
const EMBEDDING: Keys = &[
    ("init", "embeddings_initializer"),
    ("W_regularizer", "embeddings_regularizer"),
    ("W_constraint", "embeddings_constraint"),
    ("dropout", ""),
];
const NORM: Keys = &[("beta_init", "beta_initializer"), ("gamma_init", "gamma_initializer")];
const MERGE: Keys = &[
    ("concat_axis", "axis"),
    ("dot_axes", "axes"),
    ("mode_type", ""),
    ("output_shape", ""),
    ("output_shape_type", ""),
    ("output_mask", ""),
    ("output_mask_type", ""),
    ("arguments", ""),
];

const fn class(old: &'static str, new: &'static str, keys: &'static [Keys]) -> Class {
    Class { old, new, keys }
}

/// The classes of which Keras 1 writes anything otherwise.
pub(super) const CLASSES: &[Class] = &[
    class("Dense", "Dense", &[KERNEL, UNITS]),
    class("TimeDistributedDense", "Dense", &[KERNEL, UNITS]),
    class("MaxoutDense", "MaxoutDense", &[KERNEL, UNITS]),
    class("Highway", "Highway", &[KERNEL]),
    class("Embedding", "Embedding", &[EMBEDDING]),
    class("Dropout", "Dropout", &[RATE]),
    class("SpatialDropout1D", "SpatialDropout1D", &[RATE]),
    class("SpatialDropout2D", "SpatialDropout2D", &[RATE, FORMAT]),
    class("SpatialDropout3D", "SpatialDropout3D", &[RATE, FORMAT]),
    class("GaussianDropout", "GaussianDropout", &[RATE]),
    class("GaussianNoise", "GaussianNoise", &[&[("sigma", "stddev")]]),
    class("PReLU", "PReLU", &[&[("init", "alpha_initializer")]]),
    class("ParametricSoftplus", "ParametricSoftplus", &[]),
    class("SReLU", "SReLU", &[]),
    class("BatchNormalization", "BatchNormalization", &[NORM]),
    class("Convolution1D", "Conv1D", &[KERNEL, LENGTH, WINDOWS]),
    class("Convolution2D", "Conv2D", &[KERNEL, SQUARE, WINDOWS, FORMAT]),
    class("Convolution3D", "Conv3D", &[KERNEL, CUBE, WINDOWS, FORMAT]),
    class("AtrousConvolution1D", "Conv1D", &[KERNEL, LENGTH, WINDOWS]),
    class("AtrousConvolution2D", "Conv2D", &[KERNEL, SQUARE, WINDOWS, FORMAT]),
    class("Deconvolution2D", "Conv2DTranspose", &[KERNEL, SQUARE, WINDOWS, FORMAT, TRANSPOSED]),
    class("SeparableConvolution2D", "SeparableConv2D", &[SEPARABLE, SQUARE, WINDOWS, FORMAT]),
    class("LocallyConnected1D", "LocallyConnected1D", &[KERNEL, LENGTH, WINDOWS]),
    class("LocallyConnected2D", "LocallyConnected2D", &[KERNEL, SQUARE, WINDOWS, FORMAT]),
    class("MaxPooling1D", "MaxPooling1D", &[POOL, POOL_LENGTH]),
    class("MaxPooling2D", "MaxPooling2D", &[POOL, FORMAT]),
    class("MaxPooling3D", "MaxPooling3D", &[POOL, FORMAT]),
    class("AveragePooling1D", "AveragePooling1D", &[POOL, POOL_LENGTH]),
    class("AveragePooling2D", "AveragePooling2D", &[POOL, FORMAT]),
    class("AveragePooling3D", "AveragePooling3D", &[POOL, FORMAT]),
    class("GlobalMaxPooling2D", "GlobalMaxPooling2D", &[FORMAT]),
    class("GlobalMaxPooling3D", "GlobalMaxPooling3D", &[FORMAT]),
    class("GlobalAveragePooling2D", "GlobalAveragePooling2D", &[FORMAT]),
    class("GlobalAveragePooling3D", "GlobalAveragePooling3D", &[FORMAT]),
    class("UpSampling1D", "UpSampling1D", &[&[("length", "size")]]),
    class("UpSampling2D", "UpSampling2D", &[FORMAT]),
    class("UpSampling3D", "UpSampling3D", &[FORMAT]),
    class("ZeroPadding1D", "ZeroPadding1D", &[]),
    class("ZeroPadding2D", "ZeroPadding2D", &[FORMAT]),
    class("ZeroPadding3D", "ZeroPadding3D", &[FORMAT]),
    class("Cropping2D", "Cropping2D", &[FORMAT]),
    class("Cropping3D", "Cropping3D", &[FORMAT]),
    class("SimpleRNN", "SimpleRNN", &[STEPS]),
    class("GRU", "GRU", &[STEPS]),
    class("LSTM", "LSTM", &[STEPS]),
    class("ConvLSTM2D", "ConvLSTM2D", &[STEPS, SQUARE, WINDOWS, FORMAT]),
    class("Merge", "Merge", &[MERGE]),
];

/// Classes of images and volumes whose configuration Keras 1 writes without `dim_ordering`.
pub(super) const FORMAT_NOT_WRITTEN: &[&str] = &[
    "SpatialDropout2D",
    "SpatialDropout3D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "Cropping2D",
    "Cropping3D",
];

/// Classes that no other producer has.
pub(super) const OLD_ONLY: &[&str] = &["MaxoutDense", "Highway", "ParametricSoftplus", "SReLU", "Merge"];

impl Class {
    /// A class by its old name or, as people write arguments of Keras 1 for classes of Keras 2, by its new one.
    pub(super) fn of(name: &str) -> Option<&'static Class> {
        let by = |is: fn(&Class) -> &str| CLASSES.iter().find(|class| is(class) == name);
        by(|class| class.old).or_else(|| by(|class| class.new))
    }

    /// The name since of an argument of Keras 1.
    pub(super) fn key(&self, old: &str) -> Option<&'static str> {
        self.pairs().find(|(key, _)| *key == old).map(|(_, new)| new)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.keys.iter().flat_map(|keys| keys.iter().copied())
    }
}
