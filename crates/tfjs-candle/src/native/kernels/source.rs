//! Values that depend only on shapes and a seed: sizes, counters, random numbers.

use super::spread::count;
use crate::native::buffer::Repr;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::source::Distribution;
use tfjs_ir::random::Stream;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Source {
    prim: Prim,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let repr = Repr::of(view.element(*node.results.first()?)).ok()?;
    let kernel = Source { prim: node.prim.clone(), repr };
    view.all_plain(node).then(|| Claim::of(kernel, index, node.operands.clone(), node.results.clone()))
}

impl Kernel for Source {
    fn describe(&self) -> String {
        self.prim.name().to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        match &self.prim {
            Prim::Sizes(sizes) => {
                let numbers = shapes.dims(&sizes.sizes)?.into_iter().map(|n| n as i64).collect();
                self.repeated(numbers, 1)
            }
            Prim::Iota(iota) => {
                let dims = shapes.result();
                let (len, inner) =
                    (dims.get(iota.axis).copied().unwrap_or(0), count(dims.get(iota.axis + 1..).unwrap_or(&[])));
                self.repeated((0..len as i64).collect(), inner)
            }
            Prim::Random(random) => {
                let (distribution, stream) = (random.distribution, random.stream);
                Ok(Prepared::new(move |io| {
                    let seed = io.ins.get::<i64>(0)?.first().copied();
                    let seed = seed.ok_or_else(|| Error::bug("random numbers without a seed"))?;
                    let stream = Stream::new(seed.cast_unsigned(), stream);
                    let out = io.outs.get::<f32>(0)?.iter_mut().zip(0..);
                    match distribution {
                        Distribution::Uniform => out.for_each(|(out, index)| *out = stream.uniform(index)),
                        Distribution::Normal => out.for_each(|(out, index)| *out = stream.normal(index)),
                    }
                    Ok(())
                }))
            }
            other => Err(Error::bug(format!("`{}` is made of operands", other.name()))),
        }
    }
}

impl Source {
    /// Each number `inner` times, and the whole list repeated until the result is full.
    fn repeated(&self, numbers: Vec<i64>, inner: usize) -> Result<Prepared> {
        fn prepared<T: crate::native::buffer::Element>(numbers: Vec<T>, inner: usize) -> Prepared {
            let period = numbers.len() * inner;
            Prepared::new(move |io| {
                let out = io.outs.get::<T>(0)?;
                for block in out.chunks_mut(period.max(1)) {
                    block.chunks_mut(inner.max(1)).zip(&numbers).for_each(|(row, &number)| row.fill(number));
                }
                Ok(())
            })
        }
        let numbers = numbers.into_iter();
        Ok(match self.repr {
            Repr::F32 => prepared::<f32>(numbers.map(|n| n as f32).collect(), inner),
            Repr::I32 => prepared::<i32>(numbers.map(|n| n as i32).collect(), inner),
            Repr::I64 => prepared::<i64>(numbers.collect(), inner),
            Repr::U8 => prepared::<u8>(numbers.map(|n| n as u8).collect(), inner),
            Repr::Bool | Repr::Text => return Err(Error::bug("counters are numbers")),
        })
    }
}
