//! Which vector instructions kernels use, chosen once. An [`Isa`] in hand proves the CPU has it.

use std::fmt;

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Portable, Simd};

/// An instruction set that this machine has.
///
/// There is no way to make one that the machine lacks, so kernels rely on it without asking again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Plain Rust, left to the compiler to vectorise for the target's base instruction set.
    pub const PORTABLE: Isa = Isa(Level::Portable);

    /// The best instruction set of this machine.
    pub fn detect() -> Isa {
        Self::available().pop().unwrap_or(Isa::PORTABLE)
    }

    /// Every instruction set of this machine, slowest first.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut, reason = "there is nothing to add on other architectures")]
        let mut all = vec![Isa::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Isa(Level::Avx2));
                if is_x86_feature_detected!("avx512f") {
                    all.push(Isa(Level::Avx512));
                }
            }
        }
        all
    }

    /// The instruction set of this [name](Isa::name), if the machine has it.
    pub fn named(name: &str) -> Option<Isa> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }

    /// Runs `work` compiled for this instruction set.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self.0 {
            Level::Portable => work.run(Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a value of this level is only made after the CPU was asked for AVX2 and FMA.
            Level::Avx2 => unsafe { run_avx2(work) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a value of this level is only made after the CPU was asked for AVX-512 F, AVX2 and FMA.
            Level::Avx512 => unsafe { run_avx512(work) },
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Isa({})", self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A piece of code written once and compiled for each instruction set.
///
/// Implementations mark `run` and all it calls `#[inline(always)]`, and use no closures around vector
/// code: a function that is not inlined is compiled for the base instruction set.
pub(crate) trait Work {
    type Output;
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<W: Work>(work: W) -> W::Output {
    // SAFETY: this function is only entered on a CPU with AVX2 and FMA.
    work.run(unsafe { Avx2::new() })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn run_avx512<W: Work>(work: W) -> W::Output {
    // SAFETY: this function is only entered on a CPU with AVX-512 F.
    work.run(unsafe { Avx512::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portable_is_always_there_and_the_best_is_last() {
        let all = Isa::available();
        assert_eq!(all[0], Isa::PORTABLE);
        assert_eq!(all.last().copied(), Some(Isa::detect()));
        for isa in all {
            assert_eq!(Isa::named(isa.name()), Some(isa));
        }
        assert_eq!(Isa::named("abacus"), None);
    }
}
