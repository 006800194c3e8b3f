//! Compares convolutions with a plain loop in f64.

use super::*;
use crate::testing::{assert_close, cpus, isas, values};
use crate::{Activation, KernelError};

/// A geometry with all strides and dilations 1, no padding and `valid` output size.
fn valid(in_h: usize, in_w: usize, in_c: usize, kernel: usize, out_c: usize) -> Conv2dGeometry {
    let out = |n: usize| (n + 1).saturating_sub(kernel);
    Conv2dGeometry {
        in_h,
        in_w,
        in_c,
        out_h: out(in_h),
        out_w: out(in_w),
        out_c,
        kernel_h: kernel,
        kernel_w: kernel,
        stride_h: 1,
        stride_w: 1,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: 0,
        pad_left: 0,
        groups: 1,
    }
}

fn reference(batch: usize, g: &Conv2dGeometry, input: &[f32], kernel: &[f32]) -> Vec<f64> {
    let (cg, og) = (g.in_c / g.groups, g.out_c / g.groups);
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
                            for c in 0..cg {
                                let at = ((b * g.in_h + iy as usize) * g.in_w + ix as usize) * g.in_c + o / og * cg + c;
                                let w = kernel[((i * g.kernel_w + j) * cg + c) * g.out_c + o];
                                sum += f64::from(input[at]) * f64::from(w);
                            }
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
    let input = values(batch * g.in_h * g.in_w * g.in_c, 1);
    let shape = [g.kernel_h, g.kernel_w, g.in_c / g.groups, g.out_c];
    let kernel = values(shape.iter().product(), 2);
    let packed = PackedConv2d::pack(cpu.isa(), shape, g.groups, &kernel).unwrap();
    assert_eq!(packed.unpack(), kernel);
    let expected = reference(batch, &g, &input, &kernel);
    let (scale, shift) = (values(g.out_c, 3), values(g.out_c, 4));
    let residual = values(expected.len(), 5);
    let epilogue =
        Epilogue { scale: Some(&scale), shift: Some(&shift), residual: Some(&residual), activation: Activation::RELU6 };
    for plain in [true, false] {
        let mut out = vec![f32::NAN; expected.len()];
        let chosen = if plain { Epilogue::default() } else { epilogue };
        conv2d(cpu, batch, &g, &input, &packed, &mut out, &chosen).unwrap();
        for (i, (&found, &sum)) in out.iter().zip(&expected).enumerate() {
            let o = i % g.out_c;
            let full = sum * f64::from(scale[o]) + f64::from(shift[o]) + f64::from(residual[i]);
            let expected = if plain { sum } else { full.clamp(0.0, 6.0) };
            let size = (packed.groups[0].k() as f64).sqrt() * 2.0;
            assert_close(found, expected, size, &format!("output {i} of {g:?} on {cpu:?}"));
        }
    }
}

#[test]
fn windows_inside_the_image() {
    for cpu in cpus() {
        for (h, w, c, kernel, o) in
            [(5, 6, 3, 3, 8), (7, 7, 16, 1, 24), (9, 5, 1, 5, 17), (6, 6, 33, 2, 48), (3, 3, 5, 3, 70)]
        {
            check(&cpu, 2, valid(h, w, c, kernel, o));
        }
    }
}

#[test]
fn windows_over_every_edge_with_strides_and_dilations() {
    for cpu in cpus() {
        for (stride_h, stride_w) in [(1, 1), (2, 1), (1, 2), (2, 3)] {
            for (dilation_h, dilation_w) in [(1, 1), (2, 1), (1, 3)] {
                for (pad_top, pad_left) in [(0, 1), (1, 0), (1, 1), (4, 5)] {
                    let g = Conv2dGeometry {
                        in_h: 7,
                        in_w: 6,
                        in_c: 3,
                        out_h: 6,
                        out_w: 7,
                        out_c: 10,
                        kernel_h: 3,
                        kernel_w: 2,
                        stride_h,
                        stride_w,
                        dilation_h,
                        dilation_w,
                        pad_top,
                        pad_left,
                        groups: 1,
                    };
                    check(&cpu, 1, g);
                }
            }
        }
    }
}

#[test]
fn groups_of_channels() {
    for cpu in cpus() {
        for groups in [1, 2, 3, 6] {
            let g = Conv2dGeometry { groups, pad_top: 1, pad_left: 1, ..valid(6, 5, 6, 3, 12) };
            check(&cpu, 2, g);
            check(&cpu, 1, Conv2dGeometry { groups, ..valid(4, 5, 12, 1, 6) });
        }
    }
}

#[test]
fn pointwise_with_stride() {
    for cpu in cpus() {
        check(&cpu, 2, Conv2dGeometry { stride_h: 2, stride_w: 2, out_h: 4, out_w: 3, ..valid(7, 6, 20, 1, 40) });
    }
}

#[test]
fn large_images_in_many_strips() {
    for cpu in cpus() {
        let g = Conv2dGeometry { pad_top: 1, pad_left: 1, out_h: 40, out_w: 90, ..valid(40, 90, 30, 3, 8) };
        check(&cpu, 1, g);
    }
}

#[test]
fn small_images_with_many_channels_are_cut_by_panels() {
    for cpu in cpus() {
        let g = Conv2dGeometry { pad_top: 1, pad_left: 1, out_h: 4, out_w: 4, ..valid(4, 4, 60, 3, 200) };
        check(&cpu, 1, g);
    }
}

#[test]
fn a_dilation_far_beyond_the_image_needs_no_memory_for_it() {
    for cpu in cpus() {
        let g = Conv2dGeometry {
            dilation_h: 1 << 20,
            dilation_w: 1 << 20,
            pad_top: 1 << 20,
            pad_left: 1 << 20,
            out_h: 5,
            out_w: 4,
            ..valid(5, 4, 3, 3, 7)
        };
        assert_eq!(Source::choose(&g), Source::Gathered);
        check(&cpu, 2, g);
        check(&cpu, 1, Conv2dGeometry { in_c: 6, groups: 2, out_c: 8, ..g });
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for isa in isas() {
        let g = Conv2dGeometry { pad_top: 1, pad_left: 1, out_h: 30, out_w: 31, ..valid(30, 31, 50, 3, 40) };
        let small = Conv2dGeometry { pad_top: 1, pad_left: 1, out_h: 4, out_w: 4, ..valid(4, 4, 60, 3, 200) };
        for g in [g, small] {
            let input = values(g.in_h * g.in_w * g.in_c, 1);
            let shape = [3, 3, g.in_c, g.out_c];
            let kernel = PackedConv2d::pack(isa, shape, 1, &values(shape.iter().product(), 2)).unwrap();
            let run = |threads| {
                let mut out = vec![0.0; g.out_h * g.out_w * g.out_c];
                let cpu = Cpu::with_isa(isa, threads);
                conv2d(&cpu, 1, &g, &input, &kernel, &mut out, &Epilogue::default()).unwrap();
                out
            };
            let one = run(1);
            assert_eq!(one, run(2));
            assert_eq!(one, run(3));
        }
    }
}

fn call(g: Conv2dGeometry, input: usize, out: usize) -> KernelError {
    let kernel = PackedConv2d::pack(Isa::PORTABLE, [3, 3, 2, 4], 1, &[0.0; 72]).unwrap();
    let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
    conv2d(&cpu, 1, &g, &vec![0.0; input], &kernel, &mut vec![0.0; out], &Epilogue::default()).unwrap_err()
}

/// A single row of windows, which is one job, looks at the clock between its parts.
#[test]
fn a_deadline_ends_a_row_of_windows() {
    let g = Conv2dGeometry { in_h: 1, in_w: 1 << 18, kernel_h: 1, kernel_w: 1 << 14, ..valid(1, 1, 1, 1, 1) };
    let g = Conv2dGeometry { out_h: 1, out_w: g.in_w - g.kernel_w + 1, ..g };
    let (input, kernel) = (vec![1.0; g.in_w], vec![1.0; g.kernel_w]);
    let mut out = vec![0.0; g.out_w];
    let cpu = Cpu::new(1);
    let kernel = PackedConv2d::pack(cpu.isa(), [1, g.kernel_w, 1, 1], 1, &kernel).unwrap();
    let start = std::time::Instant::now();
    let cpu = cpu.with_deadline(Some(start + std::time::Duration::from_millis(50)));
    conv2d(&cpu, 1, &g, &input, &kernel, &mut out, &Epilogue::default()).unwrap();
    assert_eq!(out.last(), Some(&0.0), "all windows were computed");
}

#[test]
fn an_input_of_another_length_is_an_error() {
    let e = call(valid(5, 5, 2, 3, 4), 49, 36);
    assert_eq!(e, KernelError::Length { what: "input", expected: 50, found: 49 });
}

#[test]
fn an_output_of_another_length_is_an_error() {
    let e = call(valid(5, 5, 2, 3, 4), 50, 37);
    assert_eq!(e, KernelError::Length { what: "out", expected: 36, found: 37 });
}

#[test]
fn a_kernel_of_another_shape_is_an_error() {
    let e = call(valid(5, 5, 2, 2, 4), 50, 64);
    assert_eq!(e, KernelError::Length { what: "kernel height", expected: 2, found: 3 });
    let e = call(valid(5, 5, 3, 3, 4), 75, 36);
    assert_eq!(e, KernelError::Length { what: "kernel input channels", expected: 3, found: 2 });
    let e = PackedConv2d::pack(Isa::PORTABLE, [3, 3, 2, 4], 1, &[0.0; 71]).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "kernel", expected: 72, found: 71 });
}

#[test]
fn zeros_where_there_cannot_be_any_are_errors() {
    for (what, g) in [
        ("stride_h", Conv2dGeometry { stride_h: 0, ..valid(5, 5, 2, 3, 4) }),
        ("stride_w", Conv2dGeometry { stride_w: 0, ..valid(5, 5, 2, 3, 4) }),
        ("dilation_h", Conv2dGeometry { dilation_h: 0, ..valid(5, 5, 2, 3, 4) }),
        ("dilation_w", Conv2dGeometry { dilation_w: 0, ..valid(5, 5, 2, 3, 4) }),
        ("kernel_h", Conv2dGeometry { kernel_h: 0, ..valid(5, 5, 2, 3, 4) }),
        ("kernel_w", Conv2dGeometry { kernel_w: 0, ..valid(5, 5, 2, 3, 4) }),
        ("groups", Conv2dGeometry { groups: 0, ..valid(5, 5, 2, 3, 4) }),
    ] {
        match call(g, 50, 36) {
            KernelError::Geometry { what: found, value: 0, .. } => assert_eq!(found, what),
            other => panic!("{what}: {other}"),
        }
    }
}

#[test]
fn groups_that_do_not_divide_are_errors() {
    let e = call(Conv2dGeometry { groups: 3, ..valid(5, 5, 2, 3, 4) }, 50, 36);
    assert!(matches!(e, KernelError::Geometry { what: "groups", value: 3, .. }));
    let e = call(Conv2dGeometry { groups: 4, ..valid(5, 5, 2, 3, 4) }, 50, 36);
    assert!(matches!(e, KernelError::Geometry { what: "groups", value: 4, .. }));
}

#[test]
fn a_geometry_beyond_the_address_space_is_an_error() {
    let huge = usize::MAX / 2;
    let e = call(Conv2dGeometry { stride_h: huge, ..valid(5, 5, 2, 3, 4) }, 50, 36);
    assert_eq!(e, KernelError::TooLarge { what: "kernel_h" });
    let e = call(Conv2dGeometry { pad_left: huge, ..valid(5, 5, 2, 3, 4) }, 50, 36);
    assert_eq!(e, KernelError::TooLarge { what: "kernel_w" });
    let e = call(Conv2dGeometry { dilation_w: huge, ..valid(5, 5, 2, 3, 4) }, 50, 36);
    assert_eq!(e, KernelError::TooLarge { what: "kernel_w" });
    let e = call(Conv2dGeometry { in_h: huge, in_w: huge, ..valid(5, 5, 2, 3, 4) }, 50, 36);
    assert_eq!(e, KernelError::TooLarge { what: "input" });
}

#[test]
fn empty_images_of_absurd_size_are_zeros() {
    for cpu in cpus() {
        let g = Conv2dGeometry { in_h: 0, in_w: usize::MAX, pad_top: 1, pad_left: 1, ..valid(5, 5, 2, 3, 4) };
        let kernel = PackedConv2d::pack(cpu.isa(), [3, 3, 2, 4], 1, &[1.0; 72]).unwrap();
        let mut out = [7.0; 36];
        conv2d(&cpu, 1, &g, &[], &kernel, &mut out, &Epilogue::default()).unwrap();
        assert_eq!(out, [0.0; 36]);
    }
}
