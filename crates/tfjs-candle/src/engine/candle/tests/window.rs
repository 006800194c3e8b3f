//! Pools of any window.

use super::*;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::Window;

#[track_caller]
fn check_pool(texts: &[&str], x: &Array) {
    let windows: Vec<Window> = texts.iter().map(|text| text.parse().unwrap()).collect();
    check(std::slice::from_ref(x), |b, v| PoolOp::ALL.iter().map(|&op| b.pool(op, v[0], &windows)).collect());
}

#[test]
fn pools_along_any_axes() {
    for window in
        ["1:valid", "2:valid", "3/2:same", "2/3:same", "3:1,2", "1/2:1,0", "2:causal", "100/2:same", "2/2:4,3"]
    {
        check_pool(&[window], &some(&[2, 7, 3]));
        check_pool(&[window, "2/2:same"], &some(&[2, 5, 4, 2]));
    }
    check_pool(&["2/2:valid", "3:same", "2:valid"], &some(&[1, 4, 3, 3, 2]));
    check_pool(&["1125899906842624/1125899906842624:same"], &some(&[1, 3, 1]));
}

#[test]
fn nan_is_the_largest() {
    check_pool(&["2:same"], &floats(&[1, 5, 1], &[1.0, NAN, 2.0, -INF, INF]));
}

#[test]
fn empty_pools() {
    check_pool(&["2:same"], &some(&[0, 4, 2]));
    check_pool(&["2:same"], &some(&[2, 0, 2]));
    check_pool(&["1:2,1"], &some(&[2, 0, 2]));
}
