//! Compares depthwise convolutions with a plain loop in f64.

use super::*;
use crate::testing::{assert_close, cpus, values};
use crate::{Activation, KernelError};

fn geometry(size: (usize, usize), in_c: usize, multiplier: usize, kernel: (usize, usize)) -> Conv2dGeometry {
    Conv2dGeometry {
        in_h: size.0,
        in_w: size.1,
        in_c,
        out_h: size.0,
        out_w: size.1,
        out_c: in_c * multiplier,
        kernel_h: kernel.0,
        kernel_w: kernel.1,
        stride_h: 1,
        stride_w: 1,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: kernel.0 / 2,
        pad_left: kernel.1 / 2,
        groups: 1,
    }
}

fn reference(batch: usize, g: &Conv2dGeometry, input: &[f32], kernel: &[f32]) -> Vec<f64> {
    let multiplier = g.out_c / g.in_c;
    let mut out = Vec::new();
    for b in 0..batch {
        for y in 0..g.out_h {
            for x in 0..g.out_w {
                for o in 0..g.out_c {
                    let mut sum = 0.0;
                    for i in 0..g.kernel_h {
                        for j in 0..g.kernel_w {
                            let iy = (y * g.stride_h + i * g.dilation_h) as isize - g.pad_top as isize;
                            let ix = (x * g.stride_w + j * g.dilation_w) as isize - g.pad_left as isize;
                            if iy < 0 || ix < 0 || iy >= g.in_h as isize || ix >= g.in_w as isize {
                                continue;
                            }
                            let at = ((b * g.in_h + iy as usize) * g.in_w + ix as usize) * g.in_c + o / multiplier;
                            sum += f64::from(input[at]) * f64::from(kernel[(i * g.kernel_w + j) * g.out_c + o]);
                        }
                    }
                    out.push(sum);
                }
            }
        }
    }
    out
}

#[track_caller]
fn check(cpu: &Cpu, batch: usize, g: Conv2dGeometry) {
    let shape = [g.kernel_h, g.kernel_w, g.in_c, g.out_c / g.in_c];
    let input = values(batch * g.in_h * g.in_w * g.in_c, 1);
    let kernel = values(shape.iter().product(), 2);
    let packed = PackedDepthwise::pack(cpu.isa(), shape, &kernel).unwrap();
    assert_eq!(packed.unpack(), kernel);
    let sums = reference(batch, &g, &input, &kernel);
    let (scale, shift, residual) = (values(g.out_c, 3), values(g.out_c, 4), values(sums.len(), 5));
    let epilogue =
        Epilogue { scale: Some(&scale), shift: Some(&shift), residual: Some(&residual), activation: Activation::Tanh };
    for plain in [true, false] {
        let mut out = vec![f32::NAN; sums.len()];
        let chosen = if plain { Epilogue::default() } else { epilogue };
        depthwise_conv2d(cpu, batch, &g, &input, &packed, &mut out, &chosen).unwrap();
        for (i, (&found, &sum)) in out.iter().zip(&sums).enumerate() {
            let o = i % g.out_c;
            let full = sum * f64::from(scale[o]) + f64::from(shift[o]) + f64::from(residual[i]);
            let expected = if plain { sum } else { full.tanh() };
            assert_close(found, expected, 4.0, &format!("output {i} of {g:?} on {cpu:?}"));
        }
    }
}

#[test]
fn windows_agree_with_f64_over_all_channel_tails() {
    for cpu in cpus() {
        for channels in [1, 3, 4, 7, 8, 15, 16, 17, 24, 32, 40, 65] {
            check(&cpu, 2, geometry((5, 9), channels, 1, (3, 3)));
        }
        check(&cpu, 1, geometry((9, 8), 20, 1, (5, 5)));
        check(&cpu, 1, geometry((64, 40), 33, 1, (3, 3)));
    }
}

#[test]
fn strides_dilations_and_any_padding() {
    for cpu in cpus() {
        for (stride_h, stride_w) in [(1, 2), (2, 1), (2, 2), (3, 3)] {
            for (dilation_h, dilation_w) in [(1, 1), (1, 2), (3, 1)] {
                for (pad_top, pad_left) in [(0, 0), (0, 1), (1, 0), (6, 7)] {
                    let g = Conv2dGeometry {
                        stride_h,
                        stride_w,
                        dilation_h,
                        dilation_w,
                        pad_top,
                        pad_left,
                        ..geometry((8, 9), 9, 1, (3, 2))
                    };
                    check(&cpu, 1, g);
                }
            }
        }
    }
}

#[test]
fn multipliers() {
    for cpu in cpus() {
        for multiplier in [2, 3, 8] {
            check(&cpu, 2, geometry((5, 6), 5, multiplier, (3, 3)));
        }
    }
}

/// A single row of windows, which is one part, looks at the clock.
#[test]
fn a_deadline_ends_a_row_of_windows() {
    let g = geometry((1, 1 << 18), 2, 1, (1, 1 << 14));
    let (input, kernel) = (vec![1.0; 2 * g.in_w], vec![1.0; 2 * g.kernel_w]);
    let mut out = vec![0.0; g.out_h * g.out_w * g.out_c];
    let cpu = Cpu::new(1);
    let kernel = PackedDepthwise::pack(cpu.isa(), [1, g.kernel_w, 2, 1], &kernel).unwrap();
    let soon = std::time::Instant::now() + std::time::Duration::from_millis(50);
    let cpu = cpu.with_deadline(Some(soon));
    depthwise_conv2d(&cpu, 1, &g, &input, &kernel, &mut out, &Epilogue::default()).unwrap();
    assert_eq!(out.last(), Some(&0.0), "all windows were computed");
}

#[test]
fn wrong_lengths_and_shapes_are_errors() {
    let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
    let g = geometry((4, 4), 3, 2, (3, 3));
    let packed = PackedDepthwise::pack(cpu.isa(), [3, 3, 3, 2], &[0.0; 54]).unwrap();
    let call = |g: &Conv2dGeometry, input: usize, out: usize| {
        let (input, mut out) = (vec![0.0; input], vec![0.0; out]);
        depthwise_conv2d(&cpu, 1, g, &input, &packed, &mut out, &Epilogue::default()).unwrap_err()
    };
    assert_eq!(call(&g, 47, 96), KernelError::Length { what: "input", expected: 48, found: 47 });
    assert_eq!(call(&g, 48, 95), KernelError::Length { what: "out", expected: 96, found: 95 });
    let e = call(&Conv2dGeometry { out_c: 3, ..g }, 48, 48);
    assert!(matches!(e, KernelError::Geometry { what: "out_c", value: 3, .. }));
    let e = call(&Conv2dGeometry { kernel_w: 2, ..g }, 48, 96);
    assert_eq!(e, KernelError::Length { what: "kernel width", expected: 2, found: 3 });
    let e = PackedDepthwise::pack(cpu.isa(), [3, 3, 3, 2], &[0.0; 53]).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "kernel", expected: 54, found: 53 });
}

#[test]
fn empty_images_of_absurd_size_are_zeros() {
    for cpu in cpus() {
        let g = Conv2dGeometry { in_h: 0, in_w: usize::MAX, dilation_h: 1 << 50, ..geometry((5, 4), 3, 1, (3, 3)) };
        let kernel = PackedDepthwise::pack(cpu.isa(), [3, 3, 3, 1], &[1.0; 27]).unwrap();
        let mut out = [7.0; 60];
        depthwise_conv2d(&cpu, 1, &g, &[], &kernel, &mut out, &Epilogue::default()).unwrap();
        assert_eq!(out, [0.0; 60]);
    }
}
