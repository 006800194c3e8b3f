//! Evaluates activation functions by the formulas in their list.

use super::{Evaluator, Rule, take, undefined};
use crate::array::{Array, Data};
use crate::prim::activate::Activate;
use tfjs_manifest::Result;

impl Rule for Activate {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let Data::Float(values) = x.data() else { return Err(undefined("activate", x.element())) };
        let values = cx.collect(x.dims(), values.iter().map(|&x| self.function.of(x)))?;
        Ok(vec![Array::new(x.element(), x.dims(), Data::Float(values))?])
    }
}
