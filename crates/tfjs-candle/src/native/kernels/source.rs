//! Values that depend only on shapes and a seed: sizes, counters, random numbers.

use super::spread::count;
use crate::native::buffer::Repr;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::source::Distribution;
use tfjs_ir::random::Stream;
use tfjs_manifest::{Error, Result};

/// Random numbers that are computed between two looks at the clock.
const BLOCK: usize = 1 << 16;

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
                let numbers = shapes.dims(&sizes.sizes)?;
                self.repeated(numbers.len(), 1, move |i| numbers[i] as i64)
            }
            Prim::Iota(iota) => {
                let dims = shapes.result();
                let (len, inner) =
                    (dims.get(iota.axis).copied().unwrap_or(0), count(dims.get(iota.axis + 1..).unwrap_or(&[])));
                self.repeated(len, inner, |i| i as i64)
            }
            Prim::Random(random) => {
                let (distribution, stream) = (random.distribution, random.stream);
                Ok(Prepared::new(move |io| {
                    let seed = io.ins.get::<i64>(0)?.first().copied();
                    let seed = seed.ok_or_else(|| Error::bug("random numbers without a seed"))?;
                    let stream = Stream::new(seed.cast_unsigned(), stream);
                    let clock = io.cx.clock();
                    for (start, block) in (0..).step_by(BLOCK).zip(io.outs.get::<f32>(0)?.chunks_mut(BLOCK)) {
                        clock.look(8 * BLOCK)?;
                        let out = block.iter_mut().zip(start..);
                        match distribution {
                            Distribution::Uniform => out.for_each(|(out, index)| *out = stream.uniform(index)),
                            Distribution::Normal => out.for_each(|(out, index)| *out = stream.normal(index)),
                        }
                    }
                    Ok(())
                }))
            }
            other => Err(Error::bug(format!("`{}` is made of operands", other.name()))),
        }
    }
}

impl Source {
    /// Each of `len` numbers `inner` times, and the whole list repeated until the result is full. The list takes no
    /// memory.
    fn repeated(
        &self,
        len: usize,
        inner: usize,
        number: impl Fn(usize) -> i64 + Send + Sync + 'static,
    ) -> Result<Prepared> {
        fn prepared<T: crate::native::buffer::Element>(
            len: usize,
            inner: usize,
            number: impl Fn(usize) -> T + Send + Sync + 'static,
        ) -> Prepared {
            let period = len.saturating_mul(inner);
            Prepared::new(move |io| {
                let out = io.outs.get::<T>(0)?;
                for block in out.chunks_mut(period.max(1)) {
                    block.chunks_mut(inner.max(1)).enumerate().for_each(|(i, row)| row.fill(number(i)));
                }
                Ok(())
            })
        }
        Ok(match self.repr {
            Repr::F32 => prepared::<f32>(len, inner, move |i| number(i) as f32),
            Repr::I32 => prepared::<i32>(len, inner, move |i| number(i) as i32),
            Repr::I64 => prepared::<i64>(len, inner, number),
            Repr::U8 => prepared::<u8>(len, inner, move |i| number(i) as u8),
            Repr::Bool | Repr::Text => return Err(Error::bug("counters are numbers")),
        })
    }
}
