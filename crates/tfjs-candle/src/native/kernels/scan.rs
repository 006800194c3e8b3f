//! Loops: the steps of the body run once for each step of the loop.

use super::spread::count;
use crate::native::buffer::{Buffer, Repr, Slice, wrong_type};
use crate::native::instance::Instance;
use crate::native::io::{Ins, Io, Place, Sink};
use crate::native::kernel::{Kernel, Prepared, Shapes};
use crate::native::layout::Reserve;
use crate::native::select::Routine;
use std::sync::Arc;
use tfjs_ir::Dim;
use tfjs_ir::prim::control::Scan;
use tfjs_manifest::{Error, Result};

/// A loop. Operands: the initial carries, the sequences, and the invariants that are computed.
#[derive(Debug)]
pub(in crate::native) struct ScanLoop {
    carries: usize,
    sequences: usize,
    length: Dim,
    axis: usize,
    reverse: bool,
    body: Arc<Routine>,
}

impl ScanLoop {
    pub(in crate::native) fn new(scan: &Scan, body: Routine) -> Self {
        let Scan { carries, sequences, length, axis, reverse, body: _ } = *scan;
        ScanLoop { carries, sequences, length, axis, reverse, body: Arc::new(body) }
    }
}

impl Kernel for ScanLoop {
    fn describe(&self) -> String {
        "scan".to_string()
    }

    fn body(&self) -> Option<&Routine> {
        Some(&self.body)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let body = Instance::new(&self.body, shapes.program, shapes.bound, shapes.held)?;
        let length = shapes.bound.get(self.length)?;
        let lanes = |dims: &[usize]| Lanes::along(dims, self.axis);
        let filled = self.carries + self.sequences;
        let sequences = shapes.operands.get(self.carries..filled).unwrap_or(&[]).iter().map(|dims| lanes(dims));
        let collected = shapes.results.get(self.carries..).unwrap_or(&[]).iter().map(|dims| lanes(dims));
        // The next carries have buffers of their own, because the step still reads the present ones.
        let mut layout = body.layout.clone();
        let carries = body.parameters.get(..self.carries).unwrap_or(&[]);
        for sink in carries {
            let reserve = sink.buffer.and_then(|buffer| layout.buffers.get(buffer).cloned());
            layout.buffers.push(reserve.unwrap_or(Reserve::Elements(Repr::U8, 0)));
        }
        let scratch = body.scratch;
        let prepared = LoopRun {
            sequences: sequences.collect::<Result<_>>()?,
            collected: collected.collect::<Result<_>>()?,
            carries: self.carries,
            length,
            reverse: self.reverse,
            body,
        };
        let run = move |io: &mut Io<'_>| prepared.run(io);
        Ok(Prepared { run: Box::new(run), scratch, nested: Some(layout) })
    }
}

/// A loop for the shapes of a call.
#[derive(Debug)]
struct LoopRun {
    body: Instance,
    carries: usize,
    sequences: Vec<Lanes>,
    collected: Vec<Lanes>,
    length: usize,
    reverse: bool,
}

impl LoopRun {
    fn run(&self, io: &mut Io<'_>) -> Result<()> {
        let LoopRun { body, carries, sequences, length, .. } = self;
        let (cx, ins, sinks) = (io.cx, io.ins, io.outs.sinks);
        let Some((Buffer::Nested(arena), results)) = io.outs.buffers.split_last_mut() else {
            return Err(Error::bug("a loop without memory for its body"));
        };
        let own = body.layout.buffers.len();
        if arena.len() != own + carries || body.parameters.len() != carries + sequences.len() {
            return Err(Error::bug("a loop whose memory does not fit its body"));
        }
        let mut outside: Vec<Slice<'_>> = ins.outside.get(..cx.held).unwrap_or(&[]).to_vec();
        for invariant in carries + sequences.len()..ins.len() {
            outside.push(ins.slice(invariant)?);
        }
        let (arena, next) = arena.split_at_mut(own);
        for (i, sink) in body.parameters.iter().take(*carries).enumerate() {
            parameter(arena, sink)?.copy_from(ins.slice(i)?)?;
        }
        for i in 0..*length {
            cx.check_deadline()?;
            let step = if self.reverse { length - 1 - i } else { i };
            for (k, lanes) in sequences.iter().enumerate() {
                let to = parameter(arena, &body.parameters[carries + k])?;
                lanes.read(ins.slice(carries + k)?, step, to)?;
            }
            body.run(cx, arena, &outside)?;
            let ins = Ins { sources: &body.roots, arena, outside: &outside };
            for (k, lanes) in self.collected.iter().enumerate() {
                let at = carries + k;
                if sinks[at].buffer.is_some() {
                    lanes.write(ins.slice(at)?, step, &mut results[at])?;
                }
            }
            self.carry(arena, next, &outside)?;
        }
        for (i, sink) in sinks.iter().take(*carries).enumerate() {
            if sink.buffer.is_some() {
                results[i].copy_from(parameter(arena, &body.parameters[i])?.slice(sink.len)?)?;
            }
        }
        Ok(())
    }

    /// Makes the next carries the present ones. All are read before any is replaced.
    fn carry(&self, arena: &mut [Buffer], next: &mut [Buffer], outside: &[Slice<'_>]) -> Result<()> {
        let body = &self.body;
        let stays = |i: usize| body.parameters[i].buffer.map(Place::Arena) == Some(body.roots[i].place);
        let ins = Ins { sources: &body.roots, arena, outside };
        for (i, next) in next.iter_mut().enumerate().filter(|(i, _)| !stays(*i)) {
            next.copy_from(ins.slice(i)?)?;
        }
        for (i, next) in next.iter_mut().enumerate().filter(|(i, _)| !stays(*i)) {
            std::mem::swap(parameter(arena, &body.parameters[i])?, next);
        }
        Ok(())
    }
}

fn parameter<'a>(arena: &'a mut [Buffer], sink: &Sink) -> Result<&'a mut Buffer> {
    let buffer = sink.buffer.and_then(|buffer| arena.get_mut(buffer));
    buffer.ok_or_else(|| Error::bug("a parameter of a loop without a buffer"))
}

/// The slices of the steps along an axis of a value.
#[derive(Clone, Copy, Debug)]
struct Lanes {
    len: usize,
    inner: usize,
}

impl Lanes {
    fn along(dims: &[usize], axis: usize) -> Result<Self> {
        match dims.get(axis..).and_then(<[usize]>::split_first) {
            Some((&len, rest)) => Ok(Lanes { len, inner: count(rest) }),
            None => Err(Error::bug("a loop along an axis that does not exist")),
        }
    }

    /// Copies the slice of a step out of the whole value.
    fn read(self, whole: Slice<'_>, step: usize, to: &mut Buffer) -> Result<()> {
        match (whole, to) {
            (Slice::F32(whole), Buffer::F32(to)) => self.split(whole, step, to),
            (Slice::I32(whole), Buffer::I32(to)) => self.split(whole, step, to),
            (Slice::I64(whole), Buffer::I64(to)) => self.split(whole, step, to),
            (Slice::U8(whole), Buffer::U8(to)) => self.split(whole, step, to),
            (Slice::Bool(whole), Buffer::Bool(to)) => self.split(whole, step, to),
            _ => return Err(wrong_type()),
        }
        Ok(())
    }

    fn split<T: Copy>(self, whole: &[T], step: usize, to: &mut [T]) {
        let Lanes { len, inner } = self;
        if inner > 0 && len > 0 {
            let blocks = whole.chunks_exact(len * inner).zip(to.chunks_exact_mut(inner));
            blocks.for_each(|(block, to)| to.copy_from_slice(&block[step * inner..(step + 1) * inner]));
        }
    }

    /// Copies the slice of a step to its position in the whole value.
    fn write(self, from: Slice<'_>, step: usize, whole: &mut Buffer) -> Result<()> {
        match (from, whole) {
            (Slice::F32(from), Buffer::F32(whole)) => self.join(from, step, whole),
            (Slice::I32(from), Buffer::I32(whole)) => self.join(from, step, whole),
            (Slice::I64(from), Buffer::I64(whole)) => self.join(from, step, whole),
            (Slice::U8(from), Buffer::U8(whole)) => self.join(from, step, whole),
            (Slice::Bool(from), Buffer::Bool(whole)) => self.join(from, step, whole),
            _ => return Err(wrong_type()),
        }
        Ok(())
    }

    fn join<T: Copy>(self, from: &[T], step: usize, whole: &mut [T]) {
        let Lanes { len, inner } = self;
        if inner > 0 && len > 0 {
            let blocks = whole.chunks_exact_mut(len * inner).zip(from.chunks_exact(inner));
            blocks.for_each(|(block, from)| block[step * inner..(step + 1) * inner].copy_from_slice(from));
        }
    }
}
