//! Random numbers as a function of a seed, a stream and a position, with the same bits on every machine.
//!
//! Element `index` of stream `stream` of a call with seed `seed` has these 64 random bits, where all arithmetic is
//! modulo 2^64:
//!
//! ```text
//! key  = mix(seed ^ mix(stream + G))        G = 0x9E3779B97F4A7C15
//! bits = mix(key + (index + 1) * G)
//! ```
//!
//! where `mix` is the output function of SplitMix64 (Steele, Lea and Flood, 2014): each stream is SplitMix64 with a
//! start of its own. The numbers are independent, so they can be drawn in any order and by any number of threads.
//!
//! Numbers are computed from the bits by additions, multiplications, divisions and square roots only, whose rounding
//! IEEE 754 specifies. An engine calls these functions, or repeats their arithmetic.

/// The random numbers of one place of a program during one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
}

/// The fractional part of the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Stream {
    /// The numbers of a stream for a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        Stream { key: mix(seed ^ mix(stream.wrapping_add(GOLDEN))) }
    }

    /// 64 random bits.
    pub fn bits(self, index: u64) -> u64 {
        mix(self.key.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// A number between 0 and 1, 1 excluded: the upper 24 bits as a fraction.
    pub fn uniform(self, index: u64) -> f32 {
        (self.bits(index) >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A number of mean 0 and deviation 1: the quantile of the upper 32 bits as a fraction, taken at the middle of its
    /// interval. It is between -6.4 and 6.4.
    pub fn normal(self, index: u64) -> f32 {
        let fraction = ((self.bits(index) >> 32) as f64 + 0.5) / (1u64 << 32) as f64;
        quantile(fraction) as f32
    }
}

/// The output function of SplitMix64.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// The quantile of the normal distribution for `p` from 2^-33 to 1 - 2^-33.
///
/// Wichura, algorithm AS 241 (1988), PPND16 without the region of the far tail, which is for `p` below 1.4e-11.
fn quantile(p: f64) -> f64 {
    let centred = p - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        return centred * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let tail = if centred < 0.0 { p } else { 1.0 - p };
    let r = (-ln(tail)).sqrt() - 1.6;
    let magnitude = polynomial(&TAIL.0, r) / polynomial(&TAIL.1, r);
    if centred < 0.0 { -magnitude } else { magnitude }
}

/// Horner's rule, the constant coefficient first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// The natural logarithm of a normal positive number, to about 1e-15: `ln(m 2^e) = e ln 2 + 2 atanh((m-1)/(m+1))`.
/// The standard library's may round differently on different machines.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..14).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * series
}

/// Numerator and denominator of the quantile divided by `p - 0.5`, for probabilities from 0.075 to 0.925.
const CENTRE: ([f64; 8], [f64; 8]) = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
);

/// Numerator and denominator of the quantile's magnitude, in terms of `sqrt(-ln p) - 1.6`, for smaller probabilities.
const TAIL: ([f64; 8], [f64; 8]) = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::erf;

    #[test]
    fn the_bits_are_those_of_splitmix() {
        // The first numbers of SplitMix64 from the state 1234567, from its reference implementation.
        let stream = Stream { key: 1_234_567 };
        let bits: Vec<u64> = (0..3).map(|i| stream.bits(i)).collect();
        assert_eq!(bits, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn the_numbers_never_change() {
        let stream = Stream::new(7, 1);
        let uniform: Vec<u32> = (0..3).map(|i| stream.uniform(i).to_bits()).collect();
        let normal: Vec<u32> = (0..3).map(|i| stream.normal(i).to_bits()).collect();
        assert_eq!((&uniform[..], &normal[..]), (&UNIFORM[..], &NORMAL[..]));
    }

    const UNIFORM: [u32; 3] = [0x3f4c_48a0, 0x3f02_8f1f, 0x3ead_a260];
    const NORMAL: [u32; 3] = [0x3f55_9dce, 0x3ccd_4a6a, 0xbed4_65ee];

    #[test]
    fn the_quantile_inverts_the_distribution() {
        for p in [1.2e-10, 1e-7, 0.001, 0.074, 0.076, 0.3, 0.5, 0.8, 0.999, 1.0 - 1e-6] {
            let found = 0.5 * (1.0 + erf(quantile(p) / std::f64::consts::SQRT_2));
            assert!((found - p).abs() < 1e-13, "{p}: {found}");
        }
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        for x in [1e-10, 0.3, 0.707, 1.0, 2.5] {
            assert!((ln(x) - x.ln()).abs() <= 1e-14, "{x}");
        }
    }

    #[test]
    fn mean_and_deviation() {
        let stream = Stream::new(1, 2);
        let count = 20_000u32;
        let mean = |f: &dyn Fn(u64) -> f64| (0..u64::from(count)).map(f).sum::<f64>() / f64::from(count);
        assert!((mean(&|i| f64::from(stream.uniform(i))) - 0.5).abs() < 0.01);
        assert!(mean(&|i| f64::from(stream.normal(i))).abs() < 0.02);
        assert!((mean(&|i| f64::from(stream.normal(i)).powi(2)) - 1.0).abs() < 0.03);
        assert_ne!(Stream::new(1, 2).bits(0), Stream::new(2, 1).bits(0));
    }
}
