//! The vector instructions that kernels use, chosen once. A value of [`Isa`] proves that the CPU has them.

use std::fmt;

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Portable, Simd};

/// An instruction set that this machine has.
///
/// An unsupported one cannot be constructed, so kernels do not check again.
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
    /// Plain Rust, which the compiler vectorizes for the target's base instruction set.
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
            // SAFETY: a value of this level exists only if the CPU has AVX2 and FMA.
            Level::Avx2 => unsafe { run_avx2(work) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a value of this level exists only if the CPU has AVX-512 F, AVX2 and FMA.
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

/// Code that is written once and compiled for each instruction set.
///
/// Implementations must mark `run` and every function it calls `#[inline(always)]`, and must not use closures around
/// vector code: a function that is not inlined is compiled for the base instruction set.
pub(crate) trait Work {
    type Output;
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<W: Work>(work: W) -> W::Output {
    // SAFETY: this function is called only on a CPU with AVX2 and FMA.
    work.run(unsafe { Avx2::new() })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn run_avx512<W: Work>(work: W) -> W::Output {
    // SAFETY: this function is called only on a CPU with AVX-512 F.
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
