"""Operations of Keras 3 that decompose matrices. The sign of an eigenvector or singular vector is arbitrary, so the outputs are their sizes
and their products."""

from functions import functions
from golden import keras

ops = keras.ops
A = keras.ops.linalg


def of_eigenvectors(x):
    values, vectors = A.eigh(x + ops.swapaxes(x, -1, -2))
    return [values, ops.abs(vectors), ops.matmul(vectors * values[:, None], ops.swapaxes(vectors, 1, 2))]


def of_singular_vectors(x, **options):
    left, values, right = A.svd(x, **options)
    most = values.shape[-1]
    return [values, ops.matmul(left[..., :most] * values[:, None], right[:, :most]), ops.abs(left[..., :most]), ops.abs(right[:, :most]), ops.matmul(left, ops.swapaxes(left, 1, 2)), ops.matmul(right, ops.swapaxes(right, 1, 2))]


functions("matrix_decompositions", [
    of_eigenvectors, of_singular_vectors, lambda x: of_singular_vectors(x[:, :3], full_matrices=False), lambda x: of_singular_vectors(x[:, :, :3], full_matrices=False), lambda x: of_singular_vectors(x[:, :3]), lambda x: of_singular_vectors(x[:, :, :2]),
    lambda x: A.svd(x, compute_uv=False), lambda x: A.pinv(x), lambda x: A.pinv(x[:, :3], rcond=0.3), lambda x: A.matrix_rank(x), lambda x: A.matrix_rank(x[0], tol=1.0),
    lambda x: A.lstsq(x[0, :, :2], x[1]), lambda x: A.lstsq(x[0, :, :3], x[1, :, 0]), lambda x: A.lstsq(x[0, :3], x[1, :3]), lambda x: A.lstsq(x[0], x[1], rcond=0.4),
], x=(2, 4, 4))
functions("matrix_decompositions_norms", [lambda x: A.norm(x, ord=2, axis=(1, 2)), lambda x: A.norm(x, ord=-2, axis=(1, 2), keepdims=True), lambda x: A.norm(x, ord="nuc", axis=(1, 2)), lambda x: A.norm(x, ord=2, axis=(2, 1))], x=(2, 3, 4))
