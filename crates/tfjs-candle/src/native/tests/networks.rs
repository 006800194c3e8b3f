//! Small networks whose layers must all have kernels.

use super::fusion::batch_norm;
use super::{check, input, weight, windows};
use tfjs_ir::ElementType::{F32, I32, I64};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::{Builder, Dim, Value};
use tfjs_manifest::Result;

fn conv(b: &mut Builder, x: Value, size: usize, channels: [usize; 2], window: &str) -> Result<Value> {
    let kernel = weight(b, &[size, size, channels[0], channels[1]]);
    let y = b.conv(x, kernel, &windows(window, 2), 1)?;
    let y = batch_norm(b, y, channels[1])?;
    b.activate(Activation::RELU, y)
}

#[test]
fn branches_are_concatenated_and_pooled() {
    let inception = |b: &mut Builder| {
        let x = input(b, F32, &["n", "h", "8", "3"]);
        let left = conv(b, x, 1, [3, 4], "1:same")?;
        let right = conv(b, x, 3, [3, 2], "3:same")?;
        let pooled = b.pool(PoolOp::Mean, x, &windows("3:same", 2))?;
        let y = b.concat(&[left, right, pooled], 3)?;
        let y = batch_norm(b, y, 9)?;
        let y = conv(b, y, 1, [9, 4], "1:same")?;
        let y = b.pool(PoolOp::Max, y, &windows("2/2:valid", 2))?;
        let y = b.reduce(ReduceOp::Mean, y, &[1, 2], false)?;
        let (kernel, bias) = (weight(b, &[4, 3]), weight(b, &[3]));
        let y = b.matmul(y, kernel)?;
        let y = b.add(y, bias)?;
        b.softmax(y, &[1])
    };
    check(inception, &[&[2, 6]]);
    check(inception, &[&[1, 9]]);
}

#[test]
fn squeeze_and_excite() {
    let block = |b: &mut Builder| {
        let x = input(b, F32, &["n", "4", "4", "6"]);
        let y = conv(b, x, 1, [6, 6], "1:same")?;
        let s = b.reduce(ReduceOp::Mean, y, &[1, 2], true)?;
        let (down, up) = (weight(b, &[1, 1, 6, 2]), weight(b, &[1, 1, 2, 6]));
        let s = b.conv(s, down, &windows("1:same", 2), 1)?;
        let s = b.activate(Activation::Silu {}, s)?;
        let s = b.conv(s, up, &windows("1:same", 2), 1)?;
        let s = b.activate(Activation::Sigmoid {}, s)?;
        b.mul(y, s)
    };
    check(block, &[&[2]]);
}

#[test]
fn down_and_up_again() {
    let unet = |b: &mut Builder| {
        let x = input(b, F32, &["n", "8", "8", "2"]);
        let down = conv(b, x, 3, [2, 4], "3:same")?;
        let small = b.pool(PoolOp::Max, down, &windows("2/2:valid", 2))?;
        let small = conv(b, small, 3, [4, 4], "3:same")?;
        let n = b.dims_of(x)[0];
        let [two, four, eight] = [2, 4, 8].map(|d| b.number(d));
        let wide = b.reshape(small, &[n, four, Dim::ONE, four, Dim::ONE, four])?;
        let wide = b.broadcast_to(wide, &[n, four, two, four, two, four])?;
        let up = b.reshape(wide, &[n, eight, eight, four])?;
        let both = b.concat(&[up, down], 3)?;
        let y = conv(b, both, 3, [8, 2], "3:same")?;
        b.activate(Activation::Sigmoid {}, y)
    };
    check(unet, &[&[2]]);
}

#[test]
fn a_masked_bidirectional_recurrence() {
    let bilstm = |b: &mut Builder| {
        let ids = input(b, I32, &["n", "t"]);
        let table = weight(b, &[9, 3]);
        let wide = b.cast(ids, I64)?;
        let x = b.gather(table, wide, 0, Bounds::Clamp)?;
        let mask = b.compare_scalar(CompareOp::Ne, ids, 0.0)?;
        let n = b.dims_of(ids)[0];
        let two = b.number(2);
        let zeros = b.full(F32, &[n, two], 0.0)?;
        let mut both = Vec::new();
        for backwards in [false, true] {
            let rnn = Rnn {
                cell: Cell::Lstm,
                activation: Gate(Some(Activation::Tanh {})),
                recurrent_activation: Gate(Some(Activation::Sigmoid {})),
                backwards,
                bias: true,
                mask: true,
                masked_output: MaskedOutput::Previous,
            };
            let weights = [weight(b, &[3, 8]), weight(b, &[2, 8]), weight(b, &[8])];
            let results = b.push(rnn, &[&[x], &weights[..], &[zeros, zeros, mask]].concat())?;
            both.push(if backwards { b.reverse(results[0], &[1])? } else { results[0] });
        }
        let y = b.concat(&both, 2)?;
        let kernel = weight(b, &[4, 3]);
        let y = b.matmul(y, kernel)?;
        b.softmax(y, &[2])
    };
    check(bilstm, &[&[2, 5]]);
    check(bilstm, &[&[1, 0]]);
}

#[test]
fn attention() {
    let attention = |b: &mut Builder| {
        let x = input(b, F32, &["n", "t", "6"]);
        let [q, k, v] = [(); 3].map(|()| weight(b, &[6, 2, 3]));
        let (q, k, v) = (b.matmul(x, q)?, b.matmul(x, k)?, b.matmul(x, v)?);
        let scores = b.dot(q, k, &[(0, 0), (2, 2)], &[(3, 3)])?;
        let scores = b.binary_scalar(tfjs_ir::prim::elementwise::BinaryOp::Mul, scores, 0.577)?;
        let weights = b.softmax(scores, &[3])?;
        let y = b.dot(weights, v, &[(0, 0), (1, 2)], &[(3, 1)])?;
        let y = b.transpose(y, &[0, 2, 1, 3])?;
        let out = weight(b, &[2, 3, 6]);
        let y = b.dot(y, out, &[], &[(2, 0), (3, 1)])?;
        b.add(y, x)
    };
    check(attention, &[&[2, 5]]);
    check(attention, &[&[1, 1]]);
}
