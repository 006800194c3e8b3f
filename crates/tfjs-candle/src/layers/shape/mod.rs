//! Layers that move, repeat or drop elements.

pub mod crop;
pub mod flatten;
pub mod pad;
pub mod permute;
pub mod repeat;
pub mod reshape;
pub mod upsample;

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, counting};
    use crate::value::Value;
    use serde_json::json;

    #[test]
    fn elements_move() {
        let x = [Value::new(counting(&[1, 2, 2, 2], 0.0))];
        check_run("Flatten", json!({}), &x, &[], &[0., 1., 2., 3., 4., 5., 6., 7.]);
        let first = json!({"data_format": "channels_first"});
        check_run("Flatten", first, &x, &[], &[0., 4., 1., 5., 2., 6., 3., 7.]);
        check_run("Permute", json!({"dims": [3, 1, 2]}), &x, &[], &[0., 2., 4., 6., 1., 3., 5., 7.]);
        check_run("Reshape", json!({"target_shape": [-1, 2]}), &x, &[], &[0., 1., 2., 3., 4., 5., 6., 7.]);
        check_run("Cropping2D", json!({"cropping": [[1, 0], [0, 1]]}), &x, &[], &[4.0, 5.0]);
        let x = [Value::new(counting(&[1, 1, 2], 1.0))];
        check_run("ZeroPadding1D", json!({"padding": [1, 0]}), &x, &[], &[0.0, 0.0, 1.0, 2.0]);
        let x = [Value::new(counting(&[2, 2], 1.0))];
        check_run("RepeatVector", json!({"n": 2}), &x, &[], &[1., 2., 1., 2., 3., 4., 3., 4.]);
    }
}
