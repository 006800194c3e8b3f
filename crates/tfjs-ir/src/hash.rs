//! TensorFlow's hashes, by which layers assign tokens to buckets: FarmHash's `Fingerprint64`, `SipHash-2-4`, and the
//! combination of fingerprints that hashes feature crosses.
//!
//! References: Google's FarmHash (`farmhashna::Hash64`, which is `Fingerprint64`), Aumasson and Bernstein's SipHash,
//! and TensorFlow's `FingerprintCat64`. The expected numbers in the tests were computed by TensorFlow.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// Reads eight bytes at `at`, little-endian; 0 past the end.
fn word(text: &[u8], at: usize) -> u64 {
    text.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Reads four bytes at `at`, little-endian; 0 past the end.
fn half(text: &[u8], at: usize) -> u64 {
    text.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, |bytes| u32::from_le_bytes(bytes).into())
}

fn shift_mix(x: u64) -> u64 {
    x ^ (x >> 47)
}

/// Mixes two words into one with a multiplier.
fn mix(u: u64, v: u64, by: u64) -> u64 {
    let a = shift_mix((u ^ v).wrapping_mul(by));
    shift_mix((v ^ a).wrapping_mul(by)).wrapping_mul(by)
}

/// FarmHash's `Fingerprint64`: `tf.strings.to_hash_bucket_fast` takes it modulo the number of buckets.
pub fn fingerprint(text: &[u8]) -> u64 {
    match text.len() {
        0..=16 => up_to_16(text),
        17..=32 => up_to_32(text),
        33..=64 => up_to_64(text),
        _ => longer(text),
    }
}

fn up_to_16(text: &[u8]) -> u64 {
    let n = text.len();
    let by = K2.wrapping_add(2 * n as u64);
    if n >= 8 {
        let a = word(text, 0).wrapping_add(K2);
        let b = word(text, n - 8);
        let c = b.rotate_right(37).wrapping_mul(by).wrapping_add(a);
        let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(by);
        return mix(c, d, by);
    }
    if n >= 4 {
        return mix((n as u64).wrapping_add(half(text, 0) << 3), half(text, n - 4), by);
    }
    match (text.first(), text.get(n / 2), text.last()) {
        (Some(&first), Some(&middle), Some(&last)) => {
            let y = u64::from(first) + (u64::from(middle) << 8);
            let z = n as u64 + (u64::from(last) << 2);
            shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
        }
        _ => K2,
    }
}

fn up_to_32(text: &[u8]) -> u64 {
    let n = text.len();
    let by = K2.wrapping_add(2 * n as u64);
    let a = word(text, 0).wrapping_mul(K1);
    let b = word(text, 8);
    let c = word(text, n - 8).wrapping_mul(by);
    let d = word(text, n - 16).wrapping_mul(K2);
    let u = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let v = a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c);
    mix(u, v, by)
}

fn up_to_64(text: &[u8]) -> u64 {
    let n = text.len();
    let by = K2.wrapping_add(2 * n as u64);
    let a = word(text, 0).wrapping_mul(K2);
    let b = word(text, 8);
    let c = word(text, n - 8).wrapping_mul(by);
    let d = word(text, n - 16).wrapping_mul(K2);
    let y = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let z = mix(y, a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c), by);
    let e = word(text, 16).wrapping_mul(by);
    let f = word(text, 24);
    let g = y.wrapping_add(word(text, n - 32)).wrapping_mul(by);
    let h = z.wrapping_add(word(text, n - 24)).wrapping_mul(by);
    let u = e.wrapping_add(f).rotate_right(43).wrapping_add(g.rotate_right(30)).wrapping_add(h);
    let v = e.wrapping_add(f.wrapping_add(a).rotate_right(18)).wrapping_add(g);
    mix(u, v, by)
}

/// The state of [`longer`] between blocks.
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl State {
    /// Mixes in the 64 bytes at `at`. The last block of a text uses another multiplier and weight.
    fn block(&mut self, text: &[u8], at: usize, by: u64, weight: u64) {
        let read = |offset: usize| word(text, at + offset);
        let Self { x, y, z, v, w } = self;
        *x = x.wrapping_add(*y).wrapping_add(v.0).wrapping_add(read(8)).rotate_right(37).wrapping_mul(by);
        *y = y.wrapping_add(v.1).wrapping_add(read(48)).rotate_right(42).wrapping_mul(by);
        *x ^= w.1.wrapping_mul(weight);
        *y = y.wrapping_add(v.0.wrapping_mul(weight)).wrapping_add(read(40));
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(by);
        *v = weak(text, at, v.1.wrapping_mul(by), x.wrapping_add(w.0));
        *w = weak(text, at + 32, z.wrapping_add(w.1), y.wrapping_add(read(16)));
        std::mem::swap(z, x);
    }
}

/// Mixes 32 bytes and two seeds into two words.
fn weak(text: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let [w, x, y, z] = [0, 8, 16, 24].map(|offset| word(text, at + offset));
    let a = a.wrapping_add(w);
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let sum = a.wrapping_add(x).wrapping_add(y);
    (sum.wrapping_add(z), b.wrapping_add(sum.rotate_right(44)).wrapping_add(a))
}

fn longer(text: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let n = text.len();
    let y = SEED.wrapping_mul(K1).wrapping_add(113);
    let z = shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
    let x = SEED.wrapping_mul(K2).wrapping_add(word(text, 0));
    let mut state = State { x, y, z, v: (0, 0), w: (0, 0) };
    for at in (0..(n - 1) / 64 * 64).step_by(64) {
        state.block(text, at, K1, 1);
    }
    let by = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add((n as u64 - 1) & 63);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.block(text, n - 64, by, 9);
    let State { x, y, z, v, w } = state;
    let u = mix(v.0, w.0, by).wrapping_add(shift_mix(y).wrapping_mul(K0)).wrapping_add(z);
    mix(u, mix(v.1, w.1, by).wrapping_add(x), by)
}

/// `SipHash-2-4` of a key: `tf.strings.to_hash_bucket_strong` takes it modulo the number of buckets.
pub fn sip(key: (u64, u64), text: &[u8]) -> u64 {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let mut take = |block: u64| {
        v[3] ^= block;
        round(&mut v);
        round(&mut v);
        v[0] ^= block;
    };
    let blocks = text.chunks_exact(8);
    let rest = blocks.remainder();
    blocks.for_each(|block| take(word(block, 0)));
    // The last bytes, with the low byte of the length as the highest byte.
    let rest = rest.iter().rev().fold(0, |block, &byte| block << 8 | u64::from(byte));
    take(rest | (text.len() as u64) << 56);
    v[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

/// Combines two fingerprints; the order matters. TensorFlow's `FingerprintCat64`.
pub fn concatenated(a: u64, b: u64) -> u64 {
    const BY: u64 = 0xc6a4_a793_5bd1_e995;
    let mixed = (a ^ BY) ^ shift_mix(b.wrapping_mul(BY)).wrapping_mul(BY);
    shift_mix(shift_mix(mixed.wrapping_mul(BY)).wrapping_mul(BY))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "The quick brown fox jumps over the lazy dog; 0123456789. ";

    /// The length of a prefix of repeated `TEXT`, and its buckets by `to_hash_bucket_fast` and by
    /// `to_hash_bucket_strong` with the key `[3, -4]`, of 2^63 - 25 buckets.
    const BUCKETS: &[(usize, u64, u64)] = &[
        (0, 1936946117179621480, 6943000561508470932),
        (1, 1366698271136253306, 6141954607138971456),
        (3, 398699863598724118, 7585993443942781625),
        (4, 8425543508670559934, 5625905745614062229),
        (7, 8879765114474867616, 5853822725934487829),
        (8, 5102859526078303239, 2851294738929645334),
        (16, 4320848957565769301, 4642696849054471095),
        (17, 5162019803258432982, 2943606648777457010),
        (32, 3916272259504149115, 2022135351902010803),
        (33, 8241563171161551855, 3973691583528741035),
        (64, 2250330806730848847, 7873774850517163776),
        (65, 8056081609966701546, 1060723283247782787),
        (127, 5823880686142974672, 3004033263192440946),
        (128, 3192329334618810998, 6996875171601796033),
        (129, 8367389010257003616, 4518997849545175100),
        (300, 1869196920575892011, 1855751761473774972),
    ];

    #[test]
    fn buckets_of_tensorflow() {
        let text = TEXT.repeat(6);
        let many = (1 << 63) - 25;
        for &(n, fast, strong) in BUCKETS {
            let text = &text.as_bytes()[..n];
            let found = (fingerprint(text) % many, sip((3, -4i64 as u64), text) % many);
            assert_eq!(found, (fast, strong), "{n} bytes");
        }
    }
}
