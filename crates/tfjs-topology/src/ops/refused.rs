//! Operations that are known and not supported, and what to do instead. By the class names of Keras 3, the functions of
//! TensorFlow without their homes, and the operations of its graphs.

/// Names of operations, and why they are refused.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &[
            "Map",
            "Scan",
            "AssociativeScan",
            "Switch",
            "WhileLoop",
            "ForiLoop",
            "Cond",
            "VectorizedMap",
            "JVP",
            "map_fn",
            "vectorized_map",
            "foldl",
            "foldr",
            "scan",
            "while_loop",
            "cond",
            "case",
            "py_function",
            "numpy_function",
            "py_func",
            "function",
            "While",
            "If",
            "StatelessWhile",
            "StatelessIf",
            "PyFunc",
            "PartitionedCall",
            "StatefulPartitionedCall",
        ],
        "it calls a function of Python, which is not in the file; write it as a layer or with operations on whole tensors",
    ),
    (
        &[
            "Nonzero",
            "Unique",
            "unique",
            "unique_with_counts",
            "boolean_mask",
            "BooleanMask",
            "setdiff1d",
            "UniqueV2",
            "UniqueWithCounts",
            "dynamic_partition",
            "DynamicPartition",
            "dynamic_stitch",
            "DynamicStitch",
            "Bucketize",
            "sets.intersection",
            "edit_distance",
        ],
        "the shape of its result follows from data; multiply by a mask, or take it out of the model",
    ),
    (
        &["segment_sum", "segment_mean", "segment_max", "segment_min", "segment_prod"],
        "the number of segments follows from data; use `unsorted_segment_sum` and its relatives with `num_segments`",
    ),
    (
        &[
            "non_max_suppression",
            "non_max_suppression_with_scores",
            "non_max_suppression_padded",
            "non_max_suppression_overlaps",
            "combined_non_max_suppression",
            "generate_bounding_box_proposals",
            "NonMaxSuppression",
            "NonMaxSuppressionV2",
            "NonMaxSuppressionV3",
            "NonMaxSuppressionV4",
            "NonMaxSuppressionV5",
            "CombinedNonMaxSuppression",
        ],
        "which boxes are left follows from data; let the model end with all boxes and scores, and choose behind it",
    ),
    (
        &[
            "CTCLoss",
            "CTCDecode",
            "ctc_loss",
            "ctc_decode",
            "ctc_batch_cost",
            "ctc_greedy_decoder",
            "ctc_beam_search_decoder",
            "CTCGreedyDecoder",
            "CTCBeamSearchDecoder",
        ],
        "losses and decoders of sequences belong behind the model; let it end with the probabilities",
    ),
    (
        &[
            "Eig",
            "Eigh",
            "SVD",
            "Lstsq",
            "MatrixRank",
            "Pinv",
            "eig",
            "eigh",
            "eigvals",
            "eigvalsh",
            "svd",
            "lstsq",
            "pinv",
            "matrix_rank",
            "expm",
            "sqrtm",
            "self_adjoint_eig",
            "self_adjoint_eigvals",
            "eigh_tridiagonal",
            "tridiagonal_solve",
            "tridiagonal_matmul",
            "Svd",
            "SelfAdjointEigV2",
            "MatrixSquareRoot",
            "MatrixExponential",
        ],
        "eigenvalues and singular values are not computed here; compute them before the model, or use `solve`, `qr` or `cholesky`",
    ),
    (
        &[
            "ViewAsComplex",
            "ViewAsReal",
            "Polar",
            "complex",
            "fft",
            "fft2d",
            "fft3d",
            "ifft",
            "ifft2d",
            "ifft3d",
            "rfft",
            "rfft2d",
            "rfft3d",
            "irfft",
            "irfft2d",
            "irfft3d",
            "stft",
            "inverse_stft",
            "fftshift",
            "ifftshift",
            "Complex",
            "ComplexAbs",
            "FFT2D",
            "FFT3D",
            "IFFT",
            "IFFT2D",
            "RFFT2D",
            "mdct",
            "inverse_mdct",
            "dct",
            "idct",
        ],
        "complex tensors are not supported; Keras 3's `rfft`, `fft` and `stft` are, which give a real and an imaginary part",
    ),
    (
        &[
            "ElasticTransform",
            "random_normal",
            "random_uniform",
            "truncated_normal",
            "multinomial",
            "dropout",
            "sampled_softmax_loss",
            "nce_loss",
            "fractional_max_pool",
            "fractional_avg_pool",
            "RandomUniform",
            "RandomStandardNormal",
            "TruncatedNormal",
            "RandomUniformInt",
            "Multinomial",
        ],
        "it draws random numbers, and an operation without a seed of its own gives others in every framework; use a layer for it",
    ),
    (
        &["SSIM", "PSNR", "ssim", "psnr", "ssim_multiscale", "total_variation"],
        "measures of images belong behind the model",
    ),
    (
        &[
            "Argpartition",
            "Nextafter",
            "nextafter",
            "Gammainc",
            "igamma",
            "igammac",
            "betainc",
            "zeta",
            "polygamma",
            "bessel_j0",
            "bessel_j1",
            "bessel_y0",
            "bessel_y1",
            "bessel_k0",
            "bessel_k0e",
            "bessel_k1",
            "bessel_k1e",
            "dawsn",
            "expint",
            "fresnel_cos",
            "fresnel_sin",
            "spence",
            "sobol_sample",
            "Igamma",
            "Igammac",
            "Betainc",
            "Zeta",
            "Polygamma",
        ],
        "this function is not written yet; compute it before the model, or ask for it",
    ),
    (
        &[
            "embedding_lookup_sparse",
            "safe_embedding_lookup_sparse",
            "sparse_to_dense",
            "SparseToDense",
            "SparseTensorDenseMatMul",
        ],
        "sparse tensors are not supported; give the model dense ones",
    ),
    (
        &[
            "adjust_jpeg_quality",
            "bitcast",
            "Bitcast",
            "extract_glimpse",
            "ExtractGlimpse",
            "ReconstructPatches",
            "max_pool_with_argmax",
            "MaxPoolWithArgmax",
            "isotonic_regression",
            "fingerprint",
        ],
        "it is not supported; write it with other operations",
    ),
];

/// Why an operation of this name is refused, and what to do; `None` for one that nobody knows.
pub(crate) fn why(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(names, _)| names.contains(&name)).map(|&(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::refused;
    use serde_json::json;

    #[test]
    fn by_name() {
        let message = "operation `SVD` is not supported: eigenvalues and singular values are not computed here; compute them \
                       before the model, or use `solve`, `qr` or `cholesky`";
        refused("SVD", json!(["f:?,3,3"]), message);
        assert_eq!(why("Svdd"), None);
    }

    #[test]
    fn what_is_supported_is_not_refused() {
        for name in crate::ops::OPS {
            assert_eq!(why(name), None, "`{name}`");
        }
    }
}
