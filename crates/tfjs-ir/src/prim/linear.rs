//! Products: contractions and convolutions with their gradients. Channels are last.

use super::infer::{Infer, float, same_element, take};
use super::primitive;
use crate::dim::Dim;
use crate::program::Check;
use crate::ty::Type;
use crate::window::Window;
use std::collections::HashSet;
use tfjs_manifest::{Error, Result};

primitive! {
    /// Products summed over pairs of axes.
    ///
    /// The result has the batch axes in the order of `batch`, the free axes of `a`, then those of `b`. A matrix product
    /// is `batch=[], contract=[(1,0)]`.
    Dot {
        /// Pairs of axes of `a` and `b` that are batch axes.
        batch: Vec<(usize, usize)>,
        /// Pairs of axes of `a` and `b` that are summed over.
        contract: Vec<(usize, usize)>,
    }
    infer(self, cx, operands) {
        let [a, b] = take(operands)?;
        float(a)?;
        let element = same_element(a, b)?;
        let pairs = || self.batch.iter().chain(&self.contract);
        if repeats(pairs().map(|pair| pair.0)) || repeats(pairs().map(|pair| pair.1)) {
            return Err(Error::bug("a product that uses an axis twice"));
        }
        let mut dims = Vec::new();
        for (pairs, keep) in [(&self.batch, true), (&self.contract, false)] {
            for &(i, j) in pairs {
                let (x, y) = (cx.axis(i, a)?, cx.axis(j, b)?);
                let dim = cx.same(x, y).ok_or_else(|| {
                    let (a, b) = (cx.shape(&a.dims), cx.shape(&b.dims));
                    Error::malformed(format!("shapes {a} and {b} cannot be multiplied"))
                })?;
                if keep {
                    dims.push(dim);
                }
            }
        }
        let free = |ty: &Type, side: fn(&(usize, usize)) -> usize| -> Vec<Dim> {
            let bound: Vec<usize> = self.batch.iter().chain(&self.contract).map(side).collect();
            ty.dims.iter().enumerate().filter(|(axis, _)| !bound.contains(axis)).map(|(_, &dim)| dim).collect()
        };
        dims.extend(free(a, |pair| pair.0));
        dims.extend(free(b, |pair| pair.1));
        Ok(vec![Type::new(element, dims)])
    }
}

primitive! {
    /// A convolution over 1 to 3 spatial axes. Operands: `x [n, s.., c]`, kernel `[k.., c / groups, o]`. Result:
    /// `[n, s'.., o]`.
    ///
    /// `y[n, p, f] = sum over k, c of x[n, p * stride + k * dilation - before, c] * kernel[k, c, f]`, where elements
    /// outside `x` are 0. With groups, a block of filters reads only its own block of channels.
    Conv {
        /// The window along each spatial axis.
        windows: Vec<Window>,
        /// The number of blocks of channels.
        groups: usize,
    }
    infer(self, cx, operands) {
        let [x, kernel] = take(operands)?;
        float(x)?;
        let element = same_element(x, kernel)?;
        let [batch, spatial @ .., channels] = &x.dims[..] else { return Err(wrong_rank(cx, x)) };
        let [sizes @ .., inner, filters] = &kernel.dims[..] else { return Err(wrong_rank(cx, kernel)) };
        if spatial.len() != self.windows.len() || sizes.len() != self.windows.len() || spatial.is_empty() {
            return Err(wrong_rank(cx, x));
        }
        check_kernel(cx, &self.windows, sizes)?;
        let groups = cx.dims.number(self.groups as u64);
        let expected = cx.dims.mul(*inner, groups)?;
        if cx.same(*channels, expected).is_none() || !cx.divisible(*filters, groups) {
            return Err(Error::malformed(format!(
                "channels of shape {} do not fit a kernel of shape {} with {} groups",
                cx.shape(&x.dims), cx.shape(&kernel.dims), self.groups
            )));
        }
        let mut dims = vec![*batch];
        dims.extend(outputs(cx, &self.windows, spatial)?);
        dims.push(*filters);
        Ok(vec![Type::new(element, dims)])
    }
}

primitive! {
    /// The transpose of [`Conv`] with respect to its input: a transposed convolution, and the gradient. Operands:
    /// `dy [n, s'.., o]`, kernel `[k.., c / groups, o]`. Result: `[n, s.., c]`.
    ConvInput {
        /// The window along each spatial axis, of the convolution.
        windows: Vec<Window>,
        /// The number of blocks of channels.
        groups: usize,
        /// The spatial dimensions of the result.
        dims: Vec<Dim>,
    }
    infer(self, cx, operands) {
        let [dy, kernel] = take(operands)?;
        float(dy)?;
        let element = same_element(dy, kernel)?;
        let [batch, spatial @ .., found] = &dy.dims[..] else { return Err(wrong_rank(cx, dy)) };
        let [sizes @ .., inner, filters] = &kernel.dims[..] else { return Err(wrong_rank(cx, kernel)) };
        if spatial.len() != self.windows.len() || sizes.len() != self.windows.len() || self.dims.len() != spatial.len() {
            return Err(wrong_rank(cx, dy));
        }
        check_kernel(cx, &self.windows, sizes)?;
        let made = outputs(cx, &self.windows, &self.dims)?;
        for (&made, &found) in made.iter().zip(spatial) {
            cx.same(made, found).ok_or_else(|| Error::bug("a transposed convolution of another size"))?;
        }
        let groups = cx.dims.number(self.groups as u64);
        if cx.same(*found, *filters).is_none() || !cx.divisible(*filters, groups) {
            return Err(Error::malformed(format!(
                "filters of shape {} do not fit a kernel of shape {} with {} groups",
                cx.shape(&dy.dims), cx.shape(&kernel.dims), self.groups
            )));
        }
        let channels = cx.dims.mul(*inner, groups)?;
        let mut dims = vec![*batch];
        dims.extend(&self.dims);
        dims.push(channels);
        Ok(vec![Type::new(element, dims)])
    }
}

primitive! {
    /// The gradient of [`Conv`] with respect to its kernel. Operands: `x [n, s.., c]`, `dy [n, s'.., o]`. Result:
    /// `[k.., c / groups, o]`.
    ConvKernel {
        /// The window along each spatial axis, of the convolution.
        windows: Vec<Window>,
        /// The number of blocks of channels.
        groups: usize,
    }
    infer(self, cx, operands) {
        let [x, dy] = take(operands)?;
        float(x)?;
        let element = same_element(x, dy)?;
        let [batch, spatial @ .., channels] = &x.dims[..] else { return Err(wrong_rank(cx, x)) };
        let [rows, positions @ .., filters] = &dy.dims[..] else { return Err(wrong_rank(cx, dy)) };
        let (channels, filters) = (*channels, *filters);
        if spatial.len() != self.windows.len() || positions.len() != self.windows.len() || spatial.is_empty() {
            return Err(wrong_rank(cx, x));
        }
        let made = outputs(cx, &self.windows, spatial)?;
        for (&a, &b) in made.iter().zip(positions).chain([(batch, rows)]) {
            cx.same(a, b).ok_or_else(|| Error::bug("the gradient of a convolution of another size"))?;
        }
        let groups = cx.dims.number(self.groups as u64);
        if !cx.divisible(channels, groups) || !cx.divisible(filters, groups) {
            return Err(Error::malformed(format!("channels and filters that are not in {} groups", self.groups)));
        }
        let inner = cx.dims.div_floor(channels, self.groups as u64)?;
        let mut dims: Vec<Dim> = self.windows.iter().map(|window| cx.dims.number(window.size as u64)).collect();
        dims.extend([inner, filters]);
        Ok(vec![Type::new(element, dims)])
    }
}

/// Whether an axis occurs twice.
fn repeats(axes: impl Iterator<Item = usize>) -> bool {
    let mut seen = HashSet::new();
    axes.into_iter().any(|axis| !seen.insert(axis))
}

fn wrong_rank(cx: &Infer<'_>, ty: &Type) -> Error {
    Error::bug(format!("windows over a value of shape {}", cx.shape(&ty.dims)))
}

fn check_kernel(cx: &Infer<'_>, windows: &[Window], sizes: &[Dim]) -> Result<()> {
    let fits = windows.iter().zip(sizes).all(|(window, &size)| cx.dims.known(size) == Some(window.size as u64));
    if fits { Ok(()) } else { Err(Error::bug("a kernel of another size than its windows")) }
}

/// The spatial dimensions of the outputs of windows over these spatial dimensions.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for a window that does not fit.
pub(crate) fn outputs(cx: &mut Infer<'_>, windows: &[Window], spatial: &[Dim]) -> Result<Vec<Dim>> {
    let mut dims = Vec::with_capacity(spatial.len());
    for (window, &dim) in windows.iter().zip(spatial) {
        let (output, least) = window.output_dim(cx.dims, dim)?;
        if let Some(least) = least {
            cx.guard(Check::AtLeast(dim, least));
        }
        dims.push(output);
    }
    Ok(dims)
}
