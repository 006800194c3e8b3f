//! Helpers of this crate's tests: a random generator and tensors of every kind.

use crate::{HostData, HostTensor};
use tfjs_manifest::Shape;

/// The generator SplitMix64, seeded so that failures are reproducible.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A number from -1 to 1, the usual range of weights.
    pub(crate) fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// A float with any bit pattern that is not NaN.
    pub(crate) fn any_float(&mut self) -> f32 {
        loop {
            let value = f32::from_bits(self.next() as u32);
            if !value.is_nan() {
                return value;
            }
        }
    }

    /// A tensor of a random type with up to two dimensions, possibly empty.
    pub(crate) fn tensor(&mut self, with_strings: bool) -> HostTensor {
        let dims: Vec<usize> = (0..self.below(3)).map(|_| self.below(6)).collect();
        let shape = Shape::new(dims).expect("small");
        let n = 0..shape.elements();
        let data = match self.below(if with_strings { 5 } else { 4 }) {
            0 if self.below(2) == 0 => HostData::F32(n.map(|_| self.any_float()).collect()),
            0 => HostData::F32(n.map(|_| self.float()).collect()),
            1 => HostData::I32(n.map(|_| self.next() as i32).collect()),
            2 => HostData::Bool(n.map(|_| self.next() as u8).collect()),
            3 => HostData::C64(n.map(|_| [self.any_float(), self.any_float()]).collect()),
            _ => HostData::Str(n.map(|_| (0..self.below(9)).map(|_| self.next() as u8).collect::<Vec<u8>>()).collect()),
        };
        HostTensor::new(shape, data).expect("as many values as elements")
    }
}

pub(crate) fn tensor(dims: &[usize], data: HostData) -> HostTensor {
    HostTensor::new(Shape::new(dims).expect("small"), data).expect("the test's values fit its shape")
}
