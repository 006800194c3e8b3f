//! Rules of contractions and of convolutions with their gradients.

use super::offsets::{Offsets, signed_strides};
use super::window::{Taps, taps};
use super::{Evaluator, Rule, misfit, reserve, take, undefined};
use crate::array::{Array, Data};
use crate::prim::linear::{Conv, ConvInput, ConvKernel, Dot};
use crate::window::Window;
use tfjs_manifest::{Error, Result};

impl Rule for Dot {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [a, b] = take(operands)?;
        let (x, y) = floats(a, b, "dot")?;
        let (left, right): (Vec<usize>, Vec<usize>) = self.batch.iter().chain(&self.contract).copied().unzip();
        let fits =
            |(&i, &j): (&usize, &usize)| matches!((a.dims().get(i), b.dims().get(j)), (Some(x), Some(y)) if x == y);
        if !left.iter().zip(&right).all(fits) {
            return Err(misfit("dot", operands));
        }
        let free =
            |array: &Array, bound: &[usize]| (0..array.dims().len()).filter(|axis| !bound.contains(axis)).collect();
        let (rows, columns): (Vec<usize>, Vec<usize>) = (free(a, &left), free(b, &right));
        let (batch_a, contract_a) = left.split_at(self.batch.len());
        let (batch_b, contract_b) = right.split_at(self.batch.len());

        let lengths = |array: &Array, axes: &[usize]| axes.iter().map(|&axis| array.dims()[axis]).collect::<Vec<_>>();
        let mut dims = lengths(a, batch_a);
        dims.extend(lengths(a, &rows));
        dims.extend(lengths(b, &columns));
        let depth = lengths(a, contract_a).iter().product::<usize>();
        let elements = cx.elements(&dims)?;
        cx.spend(elements.saturating_mul(depth))?;

        let offsets = |array: &Array, axes: &[usize]| {
            let own = signed_strides(array.dims());
            let strides = axes.iter().map(|&axis| own[axis]).collect();
            Offsets::new(&lengths(array, axes), strides, 0).collect::<Vec<usize>>()
        };
        let (rows, columns) = (offsets(a, &rows), offsets(b, &columns));
        let (deep_a, deep_b) = (offsets(a, contract_a), offsets(b, contract_b));
        let mut out = reserve(elements)?;
        for (batch_a, batch_b) in offsets(a, batch_a).into_iter().zip(offsets(b, batch_b)) {
            for row in rows.iter().map(|row| row + batch_a) {
                for column in columns.iter().map(|column| column + batch_b) {
                    cx.look(depth)?;
                    let deep = deep_a.iter().zip(&deep_b);
                    out.push(deep.map(|(i, j)| x[row + i] * y[column + j]).sum());
                }
            }
        }
        Ok(vec![Array::new(a.element(), dims, Data::Float(out))?])
    }
}

impl Rule for Conv {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x, kernel] = take(operands)?;
        let (xs, ks) = floats(x, kernel, "conv")?;
        let [batch, spatial @ .., channels] = x.dims() else { return Err(misfit("conv", operands)) };
        let [.., inner, filters] = kernel.dims() else { return Err(misfit("conv", operands)) };
        let shape = Products::new(&self.windows, self.groups, *batch, spatial, *channels, *filters)?;
        if shape.kernel_dims(*inner) != kernel.dims() {
            return Err(misfit("conv", operands));
        }
        let dims = shape.output_dims();
        let mut out = cx.filled(&dims, 0.0)?;
        shape.for_each(cx, |x, k, y| out[y] += xs[x] * ks[k])?;
        Ok(vec![Array::new(x.element(), dims, Data::Float(out))?])
    }
}

impl Rule for ConvInput {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [dy, kernel] = take(operands)?;
        let (ys, ks) = floats(dy, kernel, "conv_input")?;
        let (Some(&batch), [.., inner, filters]) = (dy.dims().first(), kernel.dims()) else {
            return Err(misfit("conv_input", operands));
        };
        let spatial = cx.dims(&self.dims)?;
        let channels = inner.checked_mul(self.groups).ok_or_else(|| Error::limit("channels that overflow"))?;
        let shape = Products::new(&self.windows, self.groups, batch, &spatial, channels, *filters)?;
        if shape.kernel_dims(*inner) != kernel.dims() || shape.output_dims() != dy.dims() {
            return Err(misfit("conv_input", operands));
        }
        let dims = shape.input_dims();
        let mut out = cx.filled(&dims, 0.0)?;
        shape.for_each(cx, |x, k, y| out[x] += ys[y] * ks[k])?;
        Ok(vec![Array::new(dy.element(), dims, Data::Float(out))?])
    }
}

impl Rule for ConvKernel {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x, dy] = take(operands)?;
        let (xs, ys) = floats(x, dy, "conv_kernel")?;
        let ([batch, spatial @ .., channels], Some(&filters)) = (x.dims(), dy.dims().last()) else {
            return Err(misfit("conv_kernel", operands));
        };
        let shape = Products::new(&self.windows, self.groups, *batch, spatial, *channels, filters)?;
        if shape.output_dims() != dy.dims() {
            return Err(misfit("conv_kernel", operands));
        }
        let dims = shape.kernel_dims(channels / self.groups);
        let mut out = cx.filled(&dims, 0.0)?;
        shape.for_each(cx, |x, k, y| out[k] += xs[x] * ys[y])?;
        Ok(vec![Array::new(x.element(), dims, Data::Float(out))?])
    }
}

fn floats<'a>(a: &'a Array, b: &'a Array, prim: &str) -> Result<(&'a [f64], &'a [f64])> {
    match (a.data(), b.data()) {
        (Data::Float(a), Data::Float(b)) => Ok((a, b)),
        _ => Err(undefined(prim, a.element())),
    }
}

/// The products of a convolution: each of an element of the input and one of the kernel, added to one of the output.
struct Products {
    batch: usize,
    spatial: Vec<usize>,
    outputs: Vec<usize>,
    sizes: Vec<usize>,
    channels: usize,
    filters: usize,
    groups: usize,
    taps: Vec<Taps>,
}

impl Products {
    fn new(
        windows: &[Window],
        groups: usize,
        batch: usize,
        spatial: &[usize],
        channels: usize,
        filters: usize,
    ) -> Result<Self> {
        let divides = |n: usize| n.checked_rem(groups) == Some(0);
        if windows.len() != spatial.len() || !divides(channels) || !divides(filters) {
            return Err(Error::bug("a convolution whose windows or groups do not fit"));
        }
        let mut outputs = Vec::with_capacity(windows.len());
        for (window, &length) in windows.iter().zip(spatial) {
            outputs.push(window.output(length).map_err(|e| Error::mismatch(e.message()))?);
        }
        Ok(Products {
            batch,
            taps: windows.iter().zip(spatial).map(|(window, &length)| taps(window, length)).collect(),
            spatial: spatial.to_vec(),
            outputs,
            sizes: windows.iter().map(|window| window.size).collect(),
            channels,
            filters,
            groups,
        })
    }

    fn input_dims(&self) -> Vec<usize> {
        [&[self.batch], &self.spatial[..], &[self.channels]].concat()
    }

    fn output_dims(&self) -> Vec<usize> {
        [&[self.batch], &self.outputs[..], &[self.filters]].concat()
    }

    fn kernel_dims(&self, inner: usize) -> Vec<usize> {
        [&self.sizes[..], &[inner, self.filters]].concat()
    }

    /// Calls `f` with the offsets in input, kernel and output of every product.
    fn for_each(&self, cx: &Evaluator<'_>, mut f: impl FnMut(usize, usize, usize)) -> Result<()> {
        let (inner, block) = (self.channels / self.groups, self.filters / self.groups);
        let pixels: usize = self.spatial.iter().product();
        let positions: usize = self.outputs.iter().product();
        let index = Offsets::new(&self.outputs, signed_strides(&self.outputs), 0);
        for (position, _) in index.enumerate() {
            let taps = self.taps_at(position);
            cx.spend([taps.len(), self.batch, inner, self.filters].into_iter().fold(1, usize::saturating_mul))?;
            for n in 0..self.batch {
                for &(pixel, tap) in &taps {
                    cx.look(self.filters.saturating_mul(inner))?;
                    for filter in 0..self.filters {
                        let first = filter / block * inner;
                        for channel in 0..inner {
                            f(
                                (n * pixels + pixel) * self.channels + first + channel,
                                (tap * inner + channel) * self.filters + filter,
                                (n * positions + position) * self.filters + filter,
                            );
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The pixels in the window of an output position, each with its position in the kernel.
    fn taps_at(&self, mut position: usize) -> Vec<(usize, usize)> {
        let mut indices = vec![0; self.outputs.len()];
        for (index, &outputs) in indices.iter_mut().zip(&self.outputs).rev() {
            *index = position % outputs;
            position /= outputs;
        }
        let mut found = vec![(0, 0)];
        for (axis, index) in indices.into_iter().enumerate() {
            let (length, size) = (self.spatial[axis], self.sizes[axis]);
            let along = |&(pixel, tap): &(usize, usize)| {
                self.taps[axis].at(index).map(move |(i, k)| (pixel * length + i, tap * size + k))
            };
            found = found.iter().flat_map(along).collect();
        }
        found
    }
}
