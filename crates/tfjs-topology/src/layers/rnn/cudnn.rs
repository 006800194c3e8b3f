//! Converts the weights of `CuDNNLSTM` and `CuDNNGRU` from cuDNN's format to that of `LSTM` and `GRU`.
//!
//! Reference: `_convert_rnn_weights` in Keras 2's `keras/src/saving/legacy/hdf5_format.py`.

use super::cell::{Cell, CellKind, CellWeights};
use crate::lower::LowerCx;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::Result;

/// Converts the weights of a cuDNN layer to the format of Keras's own cell. `[in, u]` of each gate holds the numbers of
/// `[u, in]`; the recurrent kernel of each gate is transposed; there are two biases, one for the product of the input
/// and one for that of the state.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn to_keras(cx: &mut LowerCx<'_>, cell: &Cell, weights: CellWeights) -> Result<CellWeights> {
    let (units, gates) = (cx.number(cell.units), cx.number(cell.kind.gates()));
    let kernel = gates_first(cx, weights.kernel, gates, units)?;
    let inputs = cx.dims_of(weights.kernel)[0];
    let kernel = cx.reshape(kernel, &[gates, units, inputs])?;
    let recurrent = gates_first(cx, weights.recurrent_kernel, gates, units)?;
    let bias = weights.bias.map(|bias| both_biases(cx, cell.kind, bias, gates, units)).transpose()?;
    Ok(CellWeights {
        kernel: columns(cx, kernel, inputs, gates, units)?,
        recurrent_kernel: columns(cx, recurrent, units, gates, units)?,
        bias,
    })
}

/// `[rows, gates * units]` as `[gates, rows, units]`.
fn gates_first(cx: &mut LowerCx<'_>, kernel: Value, gates: Dim, units: Dim) -> Result<Value> {
    let rows = cx.dims_of(kernel)[0];
    let kernel = cx.reshape(kernel, &[rows, gates, units])?;
    cx.transpose(kernel, &[1, 0, 2])
}

/// `[gates, units, rows]` as `[rows, gates * units]`.
fn columns(cx: &mut LowerCx<'_>, kernel: Value, rows: Dim, gates: Dim, units: Dim) -> Result<Value> {
    let kernel = cx.transpose(kernel, &[2, 0, 1])?;
    let wide = cx.dims().mul(gates, units)?;
    cx.reshape(kernel, &[rows, wide])
}

/// A GRU keeps its two biases separate; an LSTM adds them.
fn both_biases(cx: &mut LowerCx<'_>, kind: CellKind, bias: Value, gates: Dim, units: Dim) -> Result<Value> {
    let (two, wide) = (cx.number(2), cx.dims().mul(gates, units)?);
    let rows = cx.reshape(bias, &[two, wide])?;
    if kind == CellKind::Lstm { cx.reduce(ReduceOp::Sum, rows, &[0], false) } else { Ok(rows) }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn weights_as_they_are_stored() {
        let config = json!({"units": 4, "return_state": true});
        let expect = ["lstm_cell/kernel[3,16]", "lstm_cell/recurrent_kernel[4,16]", "lstm_cell/bias[32]"];
        check_weights("CuDNNLSTM", config.clone(), &["?,?,3"], &expect);
        check_infer("CuDNNLSTM", config.clone(), &["?,?,3"], &["?,4", "?,4", "?,4"]);
        let expect = ["gru_cell/kernel[3,12]", "gru_cell/recurrent_kernel[4,12]", "gru_cell/bias[24]"];
        check_weights("CuDNNGRU", config.clone(), &["?,?,3"], &expect);
        check_refused("CuDNNGRU", config, &["?,3"], "expected an input of rank 3, found shape [?,3]");
        let message = format!("`units` {} is too large", usize::MAX / 2);
        check_refused("CuDNNGRU", json!({"units": usize::MAX / 2}), &["?,?,3"], &message);
    }

    #[test]
    fn the_weights_are_those_of_a_gru() {
        check_program(
            "CuDNNGRU",
            json!({"units": 4}),
            &["?,?,3"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            slot slot0 "/kernel": f32[3,12]
            slot slot1 "/recurrent_kernel": f32[4,12]
            slot slot2 "/bias": f32[24]
            const const0: f32[] = [0.0]
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = param() {slot=slot0} : f32[3,12]
              %2 = param() {slot=slot1} : f32[4,12]
              %3 = param() {slot=slot2} : f32[24]
              %4 = reshape(%1) {dims=[3,3,4]} : f32[3,3,4]
              %5 = transpose(%4) {order=[1,0,2]} : f32[3,3,4]
              %6 = reshape(%5) {dims=[3,4,3]} : f32[3,4,3]
              %7 = reshape(%2) {dims=[4,3,4]} : f32[4,3,4]
              %8 = transpose(%7) {order=[1,0,2]} : f32[3,4,4]
              %9 = reshape(%3) {dims=[2,12]} : f32[2,12]
              %10 = transpose(%6) {order=[2,0,1]} : f32[3,3,4]
              %11 = reshape(%10) {dims=[3,12]} : f32[3,12]
              %12 = transpose(%8) {order=[2,0,1]} : f32[4,3,4]
              %13 = reshape(%12) {dims=[4,12]} : f32[4,12]
              %14 = const() {constant=const0} : f32[]
              %15 = broadcast(%14) {dims=[batch,4], axes=[]} : f32[batch,4]
              %16, %17, %18 = rnn(%0, %11, %13, %9, %15) {cell=gru_reset_after, activation=tanh, recurrent_activation=sigmoid, backwards=false, bias=true, mask=false, masked_output=previous} : f32[batch,x1.1,4]; f32[batch,4]; f32[batch,4]
              return %17 "y1"
            }
        "#]],
        );
    }
}
