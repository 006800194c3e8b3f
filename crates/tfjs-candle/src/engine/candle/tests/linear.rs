//! Products and convolutions, with both transposes of each.

use super::*;
use tfjs_ir::window::Window;

fn windows(texts: &[&str]) -> Vec<Window> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn products_of_any_axes() {
    type Pairs = &'static [(usize, usize)];
    let cases: [(&[usize], &[usize], Pairs, Pairs); 9] = [
        (&[2, 3], &[3, 4], &[], &[(1, 0)]),
        (&[3, 2], &[4, 3], &[], &[(0, 1)]),
        (&[2, 5, 3], &[2, 4, 3], &[(0, 0)], &[(2, 2)]),
        (&[5, 2, 3], &[3, 2, 4], &[(1, 1)], &[(2, 0)]),
        (&[2, 3, 4], &[4, 3, 2], &[(0, 2)], &[(1, 1), (2, 0)]),
        (&[2, 3, 4], &[4, 2, 3], &[(1, 2), (0, 1)], &[(2, 0)]),
        (&[3], &[3], &[], &[(0, 0)]),
        (&[2], &[3], &[], &[]),
        (&[2, 3], &[2, 3], &[(0, 0), (1, 1)], &[]),
    ];
    for (a, b, batch, contract) in cases {
        check(&[some(a), some(b)], |builder, v| Ok(vec![builder.dot(v[0], v[1], batch, contract)?]));
    }
}

#[test]
fn empty_products() {
    for (a, b) in [([2, 0], [0, 3]), ([0, 2], [2, 3]), ([0, 0], [0, 0])] {
        check(&[floats(&a, &[]), some(&b)], |builder, v| Ok(vec![builder.dot(v[0], v[1], &[], &[(1, 0)])?]));
    }
}

/// A convolution with both of its transposes.
#[track_caller]
fn check_conv(texts: &[&str], spatial: &[usize], [batch, channels, filters, groups]: [usize; 4]) {
    let windows = windows(texts);
    let x = some(&[&[batch], spatial, &[channels]].concat());
    let sizes: Vec<usize> = windows.iter().map(|window| window.size).collect();
    let kernel = some(&[&sizes[..], &[channels / groups, filters]].concat());
    check_within(1e-5, &[x, kernel], |b, v| {
        let y = b.conv(v[0], v[1], &windows, groups)?;
        let dims = b.dims_of(v[0]);
        let back = b.conv_input(y, v[1], &windows, groups, &dims[1..dims.len() - 1])?;
        let gradient = b.conv_kernel(v[0], y, &windows, groups)?;
        Ok(vec![y, back, gradient])
    });
}

#[test]
fn convolutions_along_one_axis() {
    for window in [
        "1:valid",
        "1/2:valid",
        "2:valid",
        "3:same",
        "3/2:same",
        "2/3:same",
        "3/1*2:same",
        "3:causal",
        "4/3:2,1",
        "2/2*3:1,4",
        "3:5,5",
    ] {
        check_conv(&[window], &[7], [2, 3, 4, 1]);
    }
}

#[test]
fn convolutions_along_two_and_three_axes() {
    check_conv(&["2/2:valid", "3:same"], &[5, 4], [2, 3, 2, 1]);
    check_conv(&["3/1*2:same", "1/3:valid"], &[4, 5], [1, 2, 3, 1]);
    check_conv(&["3/2:same", "3/2:same"], &[8, 8], [1, 2, 2, 1]);
    check_conv(&["2:valid", "2/2:same", "3:1,0"], &[3, 4, 2], [2, 2, 3, 1]);
}

#[test]
fn groups_see_their_channels_only() {
    check_conv(&["3:same"], &[5], [2, 4, 6, 2]);
    check_conv(&["2/2:valid", "3:same"], &[5, 4], [2, 4, 2, 2]);
    // Depthwise, with one filter for each channel and with two.
    check_conv(&["3/2:same", "2:valid"], &[5, 4], [2, 3, 3, 3]);
    check_conv(&["3:same", "2/2:valid"], &[4, 5], [2, 3, 6, 3]);
}

#[test]
fn windows_without_overlap() {
    check_conv(&["2/1*1000000000000:same"], &[2], [1, 1, 1, 1]);
    check_conv(&["3/1*1000000000000:same"], &[2], [1, 1, 1, 1]);
    check_conv(&["1/1000000000000:same"], &[5], [2, 1, 1, 1]);
    check_conv(&["2/2:4,0"], &[1], [1, 2, 2, 1]);
}

#[test]
fn empty_convolutions() {
    check_conv(&["3:same"], &[4], [0, 2, 3, 1]);
    check_conv(&["3:same"], &[0], [2, 2, 3, 1]);
    check_conv(&["1:2,1"], &[0], [2, 2, 3, 1]);
    check_conv(&["2:valid"], &[4], [2, 0, 3, 1]);
}
