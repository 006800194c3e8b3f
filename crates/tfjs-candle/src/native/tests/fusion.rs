//! Fusion of nodes into kernels.

use super::{Case, input, weight, windows};
use tfjs_ir::ElementType::F32;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::layout::Padding;
use tfjs_ir::prim::normalize::BatchNorm;
use tfjs_ir::{Builder, Dim, Value};
use tfjs_manifest::Result;

/// A batch normalization of the last axis by fixed statistics.
pub(super) fn batch_norm(b: &mut Builder, x: Value, channels: usize) -> Result<Value> {
    let [mean, variance, gamma, beta] = [(); 4].map(|()| weight(b, &[channels]));
    let variance = b.unary(UnaryOp::Abs, variance)?;
    b.one(BatchNorm { epsilon: 0.5, scale: true, center: true }, &[x, mean, variance, gamma, beta])
}

#[test]
fn a_residual_block_is_two_convolutions() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "6", "5", "4"]);
        let (k1, bias, k2) = (weight(b, &[3, 3, 4, 4]), weight(b, &[4]), weight(b, &[1, 1, 4, 4]));
        let y = b.conv(x, k1, &windows("3:same", 2), 1)?;
        let y = b.add(y, bias)?;
        let y = batch_norm(b, y, 4)?;
        let y = b.activate(Activation::RELU, y)?;
        let y = b.conv(y, k2, &windows("1:valid", 2), 1)?;
        let y = batch_norm(b, y, 4)?;
        let y = b.add(x, y)?;
        Ok(vec![b.activate(Activation::RELU6, y)?])
    });
    let kernels = case.kernels();
    assert_eq!(kernels.len(), 2, "{kernels:?}");
    assert!(kernels[0].starts_with("conv2d + scale + shift + Clamp"), "{kernels:?}");
    assert!(kernels[1].starts_with("conv2d + scale + shift + residual + Clamp"), "{kernels:?}");
    for n in [0, 1, 3] {
        case.agrees(&[n]);
    }
}

#[test]
fn depthwise_kernels_are_found_behind_their_reshape() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "h", "5", "3"]);
        let kernel = weight(b, &[3, 3, 3, 2]);
        let dims: Vec<Dim> = [3, 3, 1, 6].map(|n| b.number(n)).to_vec();
        let kernel = b.reshape(kernel, &dims)?;
        let y = b.conv(x, kernel, &windows("3/2:same", 2), 3)?;
        let y = batch_norm(b, y, 6)?;
        Ok(vec![b.activate(Activation::RELU6, y)?])
    });
    assert_eq!(case.kernels().len(), 1);
    assert!(case.kernels()[0].starts_with("depthwise_conv2d + scale + shift + Clamp"));
    case.agrees(&[2, 7]);
    case.agrees(&[1, 4]);
}

#[test]
fn a_dense_layer_ends_in_its_softmax() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "t", "5"]);
        let (kernel, bias) = (weight(b, &[5, 7]), weight(b, &[7]));
        let y = b.matmul(x, kernel)?;
        let y = b.add(bias, y)?;
        Ok(vec![b.softmax(y, &[2])?])
    });
    assert_eq!(case.kernels(), ["dense + shift + softmax"]);
    case.agrees(&[2, 3]);
    case.agrees(&[0, 3]);
}

#[test]
fn a_value_that_is_read_twice_is_kept() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "5"]);
        let (kernel, bias) = (weight(b, &[5, 4]), weight(b, &[4]));
        let y = b.matmul(x, kernel)?;
        let z = b.add(y, bias)?;
        Ok(vec![b.activate(Activation::RELU, z)?, z])
    });
    assert_eq!(case.kernels().len(), 2);
    assert_eq!(case.kernels()[0], "dense + shift");
    case.agrees(&[3]);
}

#[test]
fn a_residual_of_another_shape_is_no_residual() {
    let case = Case::new(|b| {
        let (x, r) = (input(b, F32, &["n", "5"]), input(b, F32, &["1", "4"]));
        let kernel = weight(b, &[5, 4]);
        let y = b.matmul(x, kernel)?;
        Ok(vec![b.add(y, r)?])
    });
    assert_eq!(case.kernels(), ["dense", "binary add"]);
    case.agrees(&[3]);
}

#[test]
fn a_value_added_to_itself_is_no_residual() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "5"]);
        let kernel = weight(b, &[5, 4]);
        let y = b.matmul(x, kernel)?;
        Ok(vec![b.add(y, y)?])
    });
    assert_eq!(case.kernels(), ["dense", "binary add"]);
    case.agrees(&[3]);
}

#[test]
fn zeros_around_an_image_belong_to_the_convolution() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "h", "6", "3"]);
        let kernel = weight(b, &[3, 3, 3, 4]);
        let one = Padding { low: Dim::ZERO, high: Dim::ONE, interior: 0 };
        let padded = b.pad(x, &[Padding::NONE, one, one, Padding::NONE], 0.0)?;
        Ok(vec![b.conv(padded, kernel, &windows("3/2:valid", 2), 1)?])
    });
    assert_eq!(case.kernels(), ["conv2d"]);
    case.agrees(&[2, 8]);
    case.agrees(&[1, 5]);
}

#[test]
fn a_batch_norm_behind_a_concatenation_is_one_pass() {
    let case = Case::new(|b| {
        let (x, y) = (input(b, F32, &["n", "3", "2"]), input(b, F32, &["n", "3", "4"]));
        let z = b.concat(&[x, y], 2)?;
        let z = batch_norm(b, z, 6)?;
        Ok(vec![b.activate(Activation::RELU, z)?])
    });
    assert_eq!(case.kernels().len(), 2);
    assert_eq!(case.kernels()[0], "concat");
    assert!(case.kernels()[1].starts_with("scale_shift + scale + shift + Clamp"));
    case.agrees(&[3]);
}

#[test]
fn numbers_scale_all_channels() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "3", "4"]);
        let x = b.binary_scalar(BinaryOp::Mul, x, 1.0 / 127.5)?;
        Ok(vec![b.binary_scalar(BinaryOp::Sub, x, 1.0)?])
    });
    assert_eq!(case.kernels(), ["scale_shift + scale + shift"]);
    case.agrees(&[3]);
}
