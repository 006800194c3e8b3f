//! Loops, and functions of custom layers.

use super::error::Result;
use super::execute::Site;
use super::typed::{Typed, dtype};
use super::{Results, Rule};
use crate::value::Data;
use candle_core::Tensor;
use tfjs_ir::check_deadline;
use tfjs_ir::prim::control::{Opaque, Scan};
use tfjs_manifest::Error;

impl Rule for Scan {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let Scan { carries, sequences, length, axis, reverse, body } = self;
        let misfit = || Error::bug("a loop whose operands do not fit its body");
        let plan = site.body.ok_or_else(misfit)?;
        let (first, rest) = operands.split_at_checked(*carries).ok_or_else(misfit)?;
        let (sequences, invariants) = rest.split_at_checked(*sequences).ok_or_else(misfit)?;
        let steps = site.dim(*length)?;
        let mut current = first.to_vec();
        let mut collected: Vec<Vec<Tensor>> = vec![Vec::new(); plan.roots.len() - carries];
        for i in 0..steps {
            check_deadline(site.deadline())?;
            let step = if *reverse { steps - 1 - i } else { i };
            let mut parameters = std::mem::take(&mut current);
            for sequence in sequences {
                let element = sequence.tensor()?.narrow(*axis, step, 1)?.squeeze(*axis)?;
                parameters.push(Typed::new(sequence.element(), element));
            }
            parameters.extend_from_slice(invariants);
            let mut results = site.env.block(plan, body, parameters)?;
            for (all, one) in collected.iter_mut().zip(results.split_off(*carries)) {
                all.push(one.tensor()?.clone());
            }
            current = results;
        }
        let mut results: Results = current.into_iter().map(Some).collect();
        let mut collected = collected.into_iter();
        for index in *carries..site.count() {
            let expected = site.expected(index)?;
            if !expected.wanted {
                results.push(None);
                continue;
            }
            let mut all = collected.next().ok_or_else(misfit)?;
            if *reverse {
                all.reverse();
            }
            results.push(Some(match expected.dims.contains(&0) {
                true => Typed::empty(expected.element, &expected.dims, site.device())?,
                false => Typed::new(expected.element, Tensor::stack(&all, *axis)?),
            }));
        }
        Ok(results)
    }
}

impl Rule for Opaque {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let Opaque { function, class, .. } = self;
        let functions = site.env.call.functions;
        let function = functions.get(function.index());
        let function = function.ok_or_else(|| Error::bug(format!("the function of `{class}` is not given")))?;
        let tensors = operands.iter().map(|operand| match operand.tensor() {
            Ok(tensor) => Ok(tensor.contiguous()?),
            Err(_) => {
                Err(Error::unsupported(format!("text is given to `{class}`, whose function takes tensors")).into())
            }
        });
        let results = function.run(&tensors.collect::<Result<Vec<Tensor>>>()?)?;
        if results.len() != site.count() {
            let (expected, found) = (site.count(), results.len());
            return Err(Error::misuse(format!("`{class}` promised {expected} results, found {found}")).into());
        }
        let mut checked = Results::new();
        for (index, tensor) in results.into_iter().enumerate() {
            let expected = site.expected(index)?;
            let wanted = dtype(expected.element, site.device());
            let kind_fits = tensor.dtype().is_float() == wanted.is_float();
            if tensor.dims() != expected.dims || !kind_fits {
                let (element, dims) = (expected.element, &expected.dims);
                let (found, shape) = (tensor.dtype().as_str(), tensor.dims());
                let message = format!("`{class}` promised `{element}` of shape {dims:?}, found `{found}` of {shape:?}");
                return Err(Error::misuse(message).into());
            }
            checked.push(Some(Typed::adopt(&Data::Tensor(tensor), expected.element, site.device())?));
        }
        Ok(checked)
    }
}
