//! Measures the speed of the kernels on this machine against its peak, which is measured first:
//! `cargo run --release --example gflops -- [THREADS] [ISA]`.

use std::hint::black_box;
use std::time::Instant;

use tfjs_kernels::{
    Activation, Conv2dGeometry, Cpu, Epilogue, Isa, KernelError, LstmOptions, PackedConv2d, PackedDepthwise,
    PackedLstm, PackedMatrix, SequenceShape, SequenceState, activate, conv2d, depthwise_conv2d, gemm, lstm,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let threads = args.next().map_or(Ok(1), |n| n.parse())?;
    let isa = match args.next() {
        Some(name) => Isa::named(&name).ok_or("this machine lacks that instruction set")?,
        None => Isa::detect(),
    };
    let cpu = Cpu::with_isa(isa, threads);
    println!("{isa}, {} threads", cpu.pool().threads());

    // A product that fits the first-level caches comes closest to the peak.
    matrix(&cpu, "peak: 168x256x32", 168, 256, 32)?;
    matrix(&cpu, "matmul 512^3", 512, 512, 512)?;
    convolution(&cpu, "1x1 56x56 64->256", 56, 64, 1, 1, 256)?;
    convolution(&cpu, "1x1 112x112 32->16", 112, 32, 1, 1, 16)?;
    convolution(&cpu, "1x1 112x112 16->96", 112, 16, 1, 1, 96)?;
    convolution(&cpu, "1x1 56x56 24->144", 56, 24, 1, 1, 144)?;
    convolution(&cpu, "1x1 14x14 576->96", 14, 576, 1, 1, 96)?;
    convolution(&cpu, "1x1 7x7 960->320", 7, 960, 1, 1, 320)?;
    convolution(&cpu, "1x1 7x7 320->1280", 7, 320, 1, 1, 1280)?;
    convolution(&cpu, "1x1 s2 56x56 256->512", 56, 256, 1, 2, 512)?;
    convolution(&cpu, "7x7 s2 224x224 3->64", 224, 3, 7, 2, 64)?;
    convolution(&cpu, "3x3 s2 224x224 3->32", 224, 3, 3, 2, 32)?;
    convolution(&cpu, "3x3 56x56 64->64", 56, 64, 3, 1, 64)?;
    convolution(&cpu, "3x3 28x28 128->128", 28, 128, 3, 1, 128)?;
    convolution(&cpu, "3x3 14x14 256->256", 14, 256, 3, 1, 256)?;
    convolution(&cpu, "3x3 7x7 512->512", 7, 512, 3, 1, 512)?;
    matrix(&cpu, "dense 16x768x3072", 16, 768, 3072)?;
    matrix(&cpu, "dense 64x768x3072", 64, 768, 3072)?;
    matrix(&cpu, "dense 64x3072x768", 64, 3072, 768)?;
    matrix(&cpu, "dense 1x1280x1000", 1, 1280, 1000)?;
    matrix(&cpu, "dense 1x512x2048", 1, 512, 2048)?;
    matrix(&cpu, "dense 2x512x2048", 2, 512, 2048)?;
    matrix(&cpu, "dense 4x512x2048", 4, 512, 2048)?;
    depthwise(&cpu, "depthwise 112x112x32", 112, 32, 1)?;
    depthwise(&cpu, "depthwise s2 112x112x96", 112, 96, 2)?;
    depthwise(&cpu, "depthwise 56x56x144", 56, 144, 1)?;
    depthwise(&cpu, "depthwise 28x28x192", 28, 192, 1)?;
    depthwise(&cpu, "depthwise 14x14x576", 14, 576, 1)?;
    depthwise(&cpu, "depthwise 7x7x960", 7, 960, 1)?;
    sequence(&cpu, "lstm b1 t64 512->512", 1, 64, 512)?;
    sequence(&cpu, "lstm b8 t64 512->512", 8, 64, 512)?;
    sequence(&cpu, "lstm b1 t64 128->128", 1, 64, 128)?;
    println!("one operation for each element:");
    for (name, activation) in [
        ("relu 802816", Activation::RELU),
        ("sigmoid 802816", Activation::Sigmoid),
        ("tanh 802816", Activation::Tanh),
        ("gelu 802816", Activation::Gelu),
    ] {
        let mut values = vec![0.5; 802_816];
        report(name, 802_816.0, || {
            activate(&cpu, activation, &mut values);
            Ok(())
        })?;
    }
    Ok(())
}

fn depthwise(cpu: &Cpu, name: &str, size: usize, channels: usize, stride: usize) -> Result<(), KernelError> {
    let out_size = size.div_ceil(stride);
    let g = Conv2dGeometry {
        in_h: size,
        in_w: size,
        in_c: channels,
        out_h: out_size,
        out_w: out_size,
        out_c: channels,
        kernel_h: 3,
        kernel_w: 3,
        stride_h: stride,
        stride_w: stride,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: 2 - stride,
        pad_left: 2 - stride,
        groups: 1,
    };
    let packed = PackedDepthwise::pack(cpu.isa(), [3, 3, channels, 1], &vec![0.5; 9 * channels])?;
    let input = vec![0.25; size * size * channels];
    let bias = vec![0.1; channels];
    let epilogue = Epilogue { shift: Some(&bias), activation: Activation::RELU6, ..Epilogue::default() };
    let mut out = vec![0.0; out_size * out_size * channels];
    let flops = 2 * 9 * out.len();
    report(name, flops as f64, || depthwise_conv2d(cpu, 1, &g, &input, &packed, &mut out, &epilogue))
}

fn sequence(cpu: &Cpu, name: &str, batch: usize, time: usize, units: usize) -> Result<(), KernelError> {
    let kernel = vec![0.001; units * units * 4];
    let weights = PackedLstm::pack(cpu.isa(), units, units, &kernel, &kernel, None)?;
    let shape = SequenceShape { batch, time, features: units };
    let input = vec![0.25; batch * time * units];
    let (mut hidden, mut cell) = (vec![0.0; batch * units], vec![0.0; batch * units]);
    let flops = 2 * 2 * batch * time * units * units * 4;
    report(name, flops as f64, || {
        let (options, state) = (LstmOptions::default(), SequenceState::default());
        lstm(cpu, shape, &input, &weights, options, &state, None, &mut hidden, &mut cell)
    })
}

fn matrix(cpu: &Cpu, name: &str, m: usize, k: usize, n: usize) -> Result<(), KernelError> {
    let a = vec![0.25; m * k];
    let packed = PackedMatrix::pack(cpu.isa(), k, n, &vec![0.5; k * n])?;
    let bias = vec![0.1; n];
    let epilogue = Epilogue { shift: Some(&bias), activation: Activation::RELU, ..Epilogue::default() };
    let mut out = vec![0.0; m * n];
    report(name, (2 * m * k * n) as f64, || gemm(cpu, m, &a, k, &packed, &mut out, n, &epilogue))
}

fn convolution(
    cpu: &Cpu,
    name: &str,
    size: usize,
    in_c: usize,
    kernel: usize,
    stride: usize,
    out_c: usize,
) -> Result<(), KernelError> {
    let out_size = size.div_ceil(stride);
    let pad = ((out_size - 1) * stride + kernel).saturating_sub(size) / 2;
    let g = Conv2dGeometry {
        in_h: size,
        in_w: size,
        in_c,
        out_h: out_size,
        out_w: out_size,
        out_c,
        kernel_h: kernel,
        kernel_w: kernel,
        stride_h: stride,
        stride_w: stride,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: pad,
        pad_left: pad,
        groups: 1,
    };
    let shape = [kernel, kernel, in_c, out_c];
    let packed = PackedConv2d::pack(cpu.isa(), shape, 1, &vec![0.5; shape.iter().product()])?;
    let input = vec![0.25; size * size * in_c];
    let bias = vec![0.1; out_c];
    let epilogue = Epilogue { shift: Some(&bias), activation: Activation::RELU6, ..Epilogue::default() };
    let mut out = vec![0.0; out_size * out_size * out_c];
    let flops = 2 * out_size * out_size * out_c * kernel * kernel * in_c;
    report(name, flops as f64, || conv2d(cpu, 1, &g, &input, &packed, &mut out, &epilogue))
}

/// Prints the least of many measured times, and the speed in operations per second.
fn report(name: &str, flops: f64, mut work: impl FnMut() -> Result<(), KernelError>) -> Result<(), KernelError> {
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    let mut runs = 0;
    while runs < 20 || begin.elapsed().as_secs_f64() < 0.3 {
        let start = Instant::now();
        black_box(work())?;
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    println!("{name:<28} {:>9.1} us {:>7.1} GFLOP/s", best * 1e6, flops / best / 1e9);
    Ok(())
}
