//! Known operations that are not supported, with advice. They are listed by the class names of Keras 3, the functions
//! of TensorFlow without their modules, and the operations of its graphs.

/// Names of operations, and why they are not supported.
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
        "it calls a Python function, which is not in the file; write it as a layer or with operations on whole tensors",
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
        "the shape of its result depends on data; multiply by a mask, or compute it outside the model",
    ),
    (
        &["segment_sum", "segment_mean", "segment_max", "segment_min", "segment_prod"],
        "the number of segments depends on data; use `unsorted_segment_sum` and its relatives with `num_segments`",
    ),
    (
        &[
            "non_max_suppression",
            "non_max_suppression_with_scores",
            "non_max_suppression_overlaps",
            "generate_bounding_box_proposals",
            "NonMaxSuppression",
            "NonMaxSuppressionV2",
            "NonMaxSuppressionV3",
            "NonMaxSuppressionV4",
            "NonMaxSuppressionV5",
        ],
        "which boxes are left depends on data; use `combined_non_max_suppression`, or let the model output all boxes and scores, and select after it",
    ),
    (
        &["ctc_greedy_decoder", "ctc_beam_search_decoder", "CTCGreedyDecoder", "CTCBeamSearchDecoder"],
        "it returns sparse tensors; use `K.ctc_decode` with `greedy`, or let the model output the probabilities",
    ),
    (
        &["Eig", "eig", "eigvals"],
        "the eigenvalues of a matrix that is not symmetric are complex; use `eigh` for a symmetric one, or `svd`",
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
        "it draws random numbers, which differ between frameworks if it has no seed of its own; use a layer for it",
    ),
    (&["sobol_sample"], "there is no definition of this function here; compute it before the model"),
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
            "mean_pairwise_squared_error",
            "bitcast",
            "Bitcast",
            "ReconstructPatches",
            "isotonic_regression",
            "approx_top_k",
            "parallel_stack",
            "fingerprint",
        ],
        "it is not supported; write it with other operations",
    ),
];

/// Why an operation is not supported, and what to do; `None` for an unknown one.
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
        let message = "operation `Eig` is not supported: the eigenvalues of a matrix that is not symmetric are complex; use \
                       `eigh` for a symmetric one, or `svd`";
        refused("Eig", json!(["f:?,3,3"]), message);
        assert_eq!(why("Eigg"), None);
    }

    #[test]
    fn supported_operations_are_not_refused() {
        for name in crate::ops::OPS {
            assert_eq!(why(name), None, "`{name}`");
        }
    }
}
