//! Philox4x32-10, the generator of CUDA's random numbers: a number follows from its place, not from the one before.
//!
//! Source: J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011; as cuRAND uses it.

const FACTORS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Four words that follow from a counter and a key.
///
/// A round turns (c0, c1, c2, c3) into (hi(B·c2) ^ c1 ^ k0, lo(B·c2), hi(A·c0) ^ c3 ^ k1, lo(A·c0)) with A = D2511F53 and
/// B = CD9E8D57; there are ten, and between two of them the key grows by (9E3779B9, BB67AE85).
///
/// ```
/// use rekindle_tensor::random::philox4x32_10;
/// assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
#[inline]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let (a, b) = (wide(FACTORS[0], c0), wide(FACTORS[1], c2));
        [c0, c1, c2, c3] = [b.1 ^ c1 ^ k0, b.0, a.1 ^ c3 ^ k1, a.0];
        (k0, k1) = (k0.wrapping_add(KEY_STEPS[0]), k1.wrapping_add(KEY_STEPS[1]));
    }
    [c0, c1, c2, c3]
}

/// The low and the high word of a product.
#[inline]
fn wide(a: u32, b: u32) -> (u32, u32) {
    halves(u64::from(a) * u64::from(b))
}

/// The low and the high word.
#[inline]
pub(super) fn halves(wide: u64) -> (u32, u32) {
    (wide as u32, (wide >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the authors' Random123, `kat_vectors`.
    #[test]
    fn the_published_answers_are_given() {
        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let pi = philox4x32_10([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]);
        assert_eq!(pi, [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
    }
}
