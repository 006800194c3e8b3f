"""Functions of `tf.linalg` that decompose matrices. The sign of an eigenvector or singular vector is arbitrary, so the outputs are their
sizes and their products."""

from functions import functions
from golden import tf

A = tf.linalg


def symmetric(x):
    return x + A.matrix_transpose(x)


def positive(x):
    return tf.matmul(x, x, transpose_b=True) + tf.eye(4)


def of_eigenvectors(x):
    values, vectors = A.eigh(symmetric(x))
    return [values, tf.abs(vectors), tf.matmul(vectors * values[:, None], vectors, transpose_b=True), tf.matmul(vectors, vectors, transpose_b=True)]


def of_singular_vectors(x, **options):
    values, left, right = A.svd(x, **options)
    most = tf.shape(values)[-1]
    product = tf.matmul(left[..., :most] * values[:, None], right[..., :most], transpose_b=True)
    return [values, product, tf.abs(left[..., :most]), tf.abs(right[..., :most]), tf.matmul(left, left, transpose_a=True), tf.matmul(right, right, transpose_a=True)]


def doubled(x):
    """Of rank 2."""
    return tf.concat([x[:, :2], x[:, :2] * 2.0], 1)


def of_tridiagonal(x):
    values, vectors = A.eigh_tridiagonal(x[0, 0], x[0, 1, :3], eigvals_only=False)
    return [values, tf.abs(vectors), tf.matmul(vectors * values, vectors, transpose_b=True)]


EIGENVALUES = [
    of_eigenvectors, lambda x: A.eigvalsh(x), lambda x: A.eigvalsh(symmetric(x)[:, :3, :3]), lambda x: tf.compat.v1.self_adjoint_eigvals(symmetric(x)), lambda x: A.eigh(symmetric(x)[:, :1, :1]), lambda x: A.eigvalsh(positive(x) * 1e-3),
    lambda x: A.eigh_tridiagonal(x[0, 0], x[0, 1, :3]), of_tridiagonal, lambda x: A.eigh_tridiagonal(x[0, 0], x[0, 1, :3], select="i", select_range=(1, 2)), lambda x: A.eigvalsh(tf.matmul(x[:, :, :2], x[:, :, :2], transpose_b=True)),
]
SINGULAR = [
    of_singular_vectors, lambda x: of_singular_vectors(x[:, :, :3]), lambda x: of_singular_vectors(x[:, :2]), lambda x: of_singular_vectors(x[:, :, :3], full_matrices=True), lambda x: of_singular_vectors(x[:, :2], full_matrices=True), lambda x: A.svd(x, compute_uv=False),
    lambda x: A.svd(x * 1e15, compute_uv=False) * 1e-15, lambda x: A.svd(doubled(x), compute_uv=False), lambda x: A.pinv(x), lambda x: A.pinv(x[:, :3]), lambda x: A.pinv(x[:, :, :2]), lambda x: A.pinv(doubled(x)), lambda x: A.pinv(x, rcond=0.4),
    lambda x: A.matrix_rank(x), lambda x: A.matrix_rank(doubled(x)), lambda x: A.matrix_rank(x, tol=1.5),
    lambda x: A.lstsq(x[:, :, :2], x), lambda x: A.lstsq(x[:, :2], x[:, :2]), lambda x: A.lstsq(x[:, :, :2], x, l2_regularizer=0.5), lambda x: A.lstsq(x[:, :, :3], x, fast=False), lambda x: A.lstsq(x[:, :3], x[:, :3, :2], fast=False),
]
FUNCTIONS = [
    lambda x: A.expm(x), lambda x: A.expm(x * 0.1), lambda x: A.expm(x * 4.0 - tf.eye(4) * 12.0), lambda x: A.expm(x - A.matrix_transpose(x)), lambda x: A.sqrtm(positive(x)), lambda x: A.sqrtm(x + tf.eye(4) * 9.0),
    lambda x: A.lu_solve(*A.lu(x), rhs=x[:, :, :2]), lambda x: A.lu_reconstruct(*A.lu(x)), lambda x: A.lu_matrix_inverse(*A.lu(x)),
    lambda x: A.tridiagonal_solve(x[:, :3], x[:, 3]), lambda x: A.tridiagonal_solve(x[:, :3], x), lambda x: A.tridiagonal_solve(x, x[:, :, :2], diagonals_format="matrix"), lambda x: A.tridiagonal_solve(x[:, 1:], x[:, :2], transpose_rhs=True), lambda x: A.tridiagonal_solve(x[:, :3], x, partial_pivoting=False),
    lambda x: A.tridiagonal_solve([x[:, 0, :3], x[:, 1] * 3.0, x[:, 2, :3]], x[:, 3], diagonals_format="sequence"), lambda x: A.tridiagonal_solve([x[:, 0], x[:, 1], x[:, 2]], x, diagonals_format="sequence"),
    lambda x: A.tridiagonal_matmul([x[:, 0], x[:, 1], x[:, 2]], x, diagonals_format="sequence"), lambda x: A.tridiagonal_matmul(x[:, :3], x), lambda x: A.tridiagonal_matmul(x, x[:, :, :3], diagonals_format="matrix"),
]

functions("matrix_decompositions_eigenvalues", EIGENVALUES, x=(2, 4, 4))
functions("matrix_decompositions_singular", SINGULAR, x=(2, 4, 4))
functions("matrix_decompositions_functions", FUNCTIONS, x=(2, 4, 4))
functions("matrix_decompositions_norms", [lambda x: tf.norm(x, ord=2, axis=[-2, -1]), lambda x: tf.norm(x, ord=2, axis=[2, 1], keepdims=True), lambda x: A.normalize(x, ord=2, axis=[1, 2])], x=(2, 3, 4))
