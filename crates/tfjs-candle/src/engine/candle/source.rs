//! Inputs, weights, states, constants, sizes, counters and random numbers.

use super::error::Result;
use super::execute::Site;
use super::typed::Typed;
use super::{Results, Rule, take};
use crate::value::Data;
use candle_core::Tensor;
use tfjs_ir::InputRole;
use tfjs_ir::prim::source::{Const, Distribution, Input, Iota, Param, Random, Sizes, State};
use tfjs_ir::random::Stream;
use tfjs_manifest::Error;

impl Rule for Input {
    fn run(&self, site: &Site<'_>, _operands: &[Typed]) -> Result<Results> {
        let (program, call) = (site.env.program, site.env.call);
        let missing = || Error::bug(format!("input {} is not given", self.port));
        let input = program.inputs.get(self.port).ok_or_else(missing)?;
        if input.role == InputRole::Seed {
            let seed = vec![call.seed.cast_signed()];
            return Ok(vec![Some(Typed::integers(input.ty.element, seed, &[], site.device())?)]);
        }
        // The seed is an input of the program but not an argument of the call.
        let before = program.inputs.iter().take(self.port);
        let argument = before.filter(|input| input.role != InputRole::Seed).count();
        let data = call.inputs.get(argument).ok_or_else(missing)?;
        let given = Typed::adopt(data, input.ty.element, site.device())?;
        if given.dims() != site.expected(0)?.dims {
            return Err(Error::bug("an input of another shape than the call was bound for")
                .at_value(&input.name)
                .into());
        }
        Ok(vec![Some(given)])
    }
}

impl Rule for Param {
    fn run(&self, site: &Site<'_>, _operands: &[Typed]) -> Result<Results> {
        let tensor = (site.env.weight)(self.slot)?;
        Ok(vec![Some(Typed::adopt(&Data::Tensor(tensor), site.expected(0)?.element, site.device())?)])
    }
}

impl Rule for State {
    fn run(&self, site: &Site<'_>, _operands: &[Typed]) -> Result<Results> {
        let state = site.env.call.states.get(self.state.index());
        let state = state.ok_or_else(|| Error::bug(format!("state {} is not given", self.state.0)))?;
        Ok(vec![Some(Typed::adopt(&Data::Tensor(state.clone()), site.expected(0)?.element, site.device())?)])
    }
}

impl Rule for Const {
    fn run(&self, site: &Site<'_>, _operands: &[Typed]) -> Result<Results> {
        let constant = site.env.constants.get(self.constant.index()).and_then(Option::as_ref);
        let constant =
            constant.ok_or_else(|| Error::bug(format!("the program has no constant {}", self.constant.0)))?;
        Ok(vec![Some(constant.clone())])
    }
}

impl Rule for Sizes {
    fn run(&self, site: &Site<'_>, _operands: &[Typed]) -> Result<Results> {
        let sizes = site.dims(&self.sizes)?.into_iter().map(|n| n as i64).collect();
        Ok(vec![Some(Typed::integers(self.element, sizes, &site.expected(0)?.dims, site.device())?)])
    }
}

impl Rule for Iota {
    fn run(&self, site: &Site<'_>, _operands: &[Typed]) -> Result<Results> {
        let dims = &site.expected(0)?.dims;
        let count = *dims.get(self.axis).ok_or_else(|| Error::bug("a counter along an axis that does not exist"))?;
        let mut line = vec![1; dims.len()];
        line[self.axis] = count;
        let numbers = if self.element.is_float() {
            let numbers: Vec<f32> = (0..count).map(|n| n as f32).collect();
            let numbers = Tensor::from_vec(numbers, line, site.device())?;
            numbers.to_dtype(super::typed::dtype(self.element, site.device()))?
        } else {
            let numbers = (0..count).map(|n| n as i64).collect();
            Typed::integers(self.element, numbers, &line, site.device())?.tensor()?.clone()
        };
        site.one(numbers.broadcast_as(&dims[..])?)
    }
}

impl Rule for Random {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [seed] = take(operands)?;
        let seed = seed.to_integers()?;
        let seed = *seed.first().ok_or_else(|| Error::bug("random numbers without a seed"))?;
        let dims = &site.expected(0)?.dims;
        let stream = Stream::new(seed.cast_unsigned(), self.stream);
        let count = dims.iter().product::<usize>() as u64;
        let numbers: Vec<f32> = match self.distribution {
            Distribution::Uniform => (0..count).map(|index| stream.uniform(index)).collect(),
            Distribution::Normal => (0..count).map(|index| stream.normal(index)).collect(),
        };
        site.one(Tensor::from_vec(numbers, &dims[..], site.device())?)
    }
}
