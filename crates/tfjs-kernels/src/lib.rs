//! CPU kernels on slices for neural network layers: packed matrix products, convolutions, pooling,
//! elementwise arithmetic, normalization and recurrent sequences, on `f32` in channels-last order.
//!
//! This crate has no tensors, layers or graphs. A caller computes shapes and geometry, packs the
//! weights once, and calls kernels on slices. Every kernel checks the lengths of its arguments and
//! returns a [`KernelError`] instead of reading or writing out of bounds. `unsafe` arithmetic of the workspace is in
//! this crate only.
//!
//! Kernels run on a [`Cpu`]: an instruction set, chosen once, and a fork-join [`ThreadPool`].
//! Work is split only over output rows and columns, so results do not depend on the number of
//! threads. They may differ in the last bits between instruction sets.
//!
//! ```
//! use tfjs_kernels::{Activation, Cpu, Epilogue, PackedMatrix, gemm};
//!
//! // A dense layer of two inputs and three units, with bias and ReLU.
//! let cpu = Cpu::new(1);
//! let kernel = PackedMatrix::pack(cpu.isa(), 2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let bias = [0.5, -20.0, 0.0];
//! let epilogue = Epilogue { shift: Some(&bias), activation: Activation::RELU, ..Epilogue::default() };
//! let mut out = [0.0; 3];
//! gemm(&cpu, 1, &[1.0, 2.0], 2, &kernel, &mut out, 3, &epilogue)?;
//! assert_eq!(out, [9.5, 0.0, 15.0]);
//! # Ok::<(), tfjs_kernels::KernelError>(())
//! ```
#![deny(missing_docs)]

mod activation;
mod aligned;
mod conv;
mod cpu;
mod depthwise;
mod elementwise;
mod epilogue;
mod error;
mod gemm;
mod isa;
mod math;
mod matrix;
mod movement;
mod norm;
mod pool;
mod pooling;
mod reduce;
mod rnn;
mod runs;
mod scratch;
mod simd;
mod split;
mod tile;
mod unroll;
mod window;

pub use activation::{Activation, HardSigmoidForm, activate};
pub use conv::{PackedConv2d, conv2d};
pub use cpu::Cpu;
pub use depthwise::{PackedDepthwise, depthwise_conv2d};
pub use elementwise::{Binary, binary, binary_broadcast, binary_in_place, scale_shift};
pub use epilogue::Epilogue;
pub use error::{KernelError, Result};
pub use gemm::gemm;
pub use isa::Isa;
pub use matrix::{PackedMatrix, PackedWidth};
pub use movement::{concat, pad, transpose};
pub use norm::{layer_norm, softmax};
pub use pool::ThreadPool;
pub use pooling::{Pooling, global_pool, pool2d};
pub use reduce::{Reduction, reduce};
pub use rnn::{
    GruOptions, LstmOptions, MaskedOutput, PackedGru, PackedLstm, PackedSimpleRnn, SequenceShape, SequenceState, gru,
    lstm, simple_rnn,
};
pub use window::{Conv2dGeometry, Pool2dGeometry};

#[cfg(test)]
mod testing;
