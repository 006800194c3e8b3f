//! Rules of inputs, weights, states, constants, sizes, counters and random numbers.

use super::offsets::Offsets;
use super::{Evaluator, Rule, take, undefined};
use crate::array::{Array, Data};
use crate::prim::source::{Const, Distribution, Input, Iota, Param, Random, Sizes, State};
use crate::random;
use crate::ty::ElementType;
use tfjs_manifest::{Error, Result};

impl Rule for Input {
    fn evaluate(&self, cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        given(cx.inputs().inputs, self.port, "input")
    }
}

impl Rule for Param {
    fn evaluate(&self, cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        given(cx.inputs().slots, self.slot.index(), "weight")
    }
}

impl Rule for State {
    fn evaluate(&self, cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        given(cx.inputs().states, self.state.index(), "state")
    }
}

fn given(arrays: &[Array], index: usize, what: &str) -> Result<Vec<Array>> {
    let found = arrays.get(index).cloned();
    found.map(|array| vec![array]).ok_or_else(|| Error::misuse(format!("{what} {index} is not given")))
}

impl Rule for Const {
    fn evaluate(&self, cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        let found = cx.program().constants.get(self.constant.index());
        let array = found.ok_or_else(|| Error::bug(format!("the program has no constant {}", self.constant.0)))?;
        cx.spend(array.elements())?;
        Ok(vec![Array::clone(array)])
    }
}

impl Rule for Sizes {
    fn evaluate(&self, cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        let Sizes { sizes, scalar, element } = self;
        let numbers: Vec<i64> = cx.dims(sizes)?.into_iter().map(|n| n as i64).collect();
        let dims = if *scalar { vec![] } else { vec![numbers.len()] };
        Ok(vec![Array::new(*element, dims, Data::Int(numbers))?])
    }
}

impl Rule for Iota {
    fn evaluate(&self, cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        let Iota { axis, dims, element } = self;
        let dims = cx.dims(dims)?;
        let mut strides = vec![0; dims.len()];
        *strides.get_mut(*axis).ok_or_else(|| Error::bug("a counter along an axis that does not exist"))? = 1;
        let numbers = cx.collect(&dims, Offsets::new(&dims, strides, 0))?;
        let data = match element {
            _ if element.is_float() => Data::Float(numbers.into_iter().map(|n| n as f64).collect()),
            _ if element.is_integer() => Data::Int(numbers.into_iter().map(|n| n as i64).collect()),
            _ => return Err(undefined("iota", *element)),
        };
        Ok(vec![Array::new(*element, dims, data)?])
    }
}

impl Rule for Random {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Random { distribution, dims, stream } = self;
        let [seed] = take(operands)?;
        let seed = *seed.to_ints()?.first().ok_or_else(|| Error::bug("random numbers without a seed"))?;
        let dims = cx.dims(dims)?;
        let generator = random::Stream::new(seed.cast_unsigned(), *stream);
        let number = |index: u64| match distribution {
            Distribution::Uniform => generator.uniform(index),
            Distribution::Normal => generator.normal(index),
        };
        let numbers = cx.collect(&dims, (0..).map(|index| f64::from(number(index))))?;
        Ok(vec![Array::new(ElementType::F32, dims, Data::Float(numbers))?])
    }
}
