//! MD5, to recognise the files of a published data set. It guards against damage, not against malice.
//!
//! Source: RFC 1321.

use std::fmt;
use std::io::{self, Write};
use std::sync::LazyLock;

/// The MD5 digest of what is written into it.
///
/// ```
/// use std::io::Write;
///
/// let mut md5 = rekindle_data::Md5::new();
/// md5.write_all(b"abc")?;
/// assert_eq!(md5.finish().to_string(), "900150983cd24fb0d6963f7d28e17f72");
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Md5 {
    state: [u32; 4],
    /// Bytes that do not fill a block yet; `length % 64` of them count.
    block: [u8; 64],
    length: u64,
}

/// Sixteen bytes that identify a file; printed as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 16]);

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// floor(2^32 |sin(i + 1)|), the definition in the RFC; far enough from integers for any libm.
static SINES: LazyLock<[u32; 64]> =
    LazyLock::new(|| std::array::from_fn(|i| ((i as f64 + 1.0).sin().abs() * 4294967296.0) as u32));

impl Md5 {
    /// The digest of nothing so far.
    pub fn new() -> Self {
        Self { state: [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476], block: [0; 64], length: 0 }
    }

    /// The digest of all that was written.
    pub fn finish(mut self) -> Digest {
        let bits = self.length.wrapping_mul(8);
        // A one bit, then zeros up to eight bytes before the end of a block.
        let zeros = (119 - self.length % 64) % 64;
        self.update(&[0x80]);
        self.update(&[0; 64][..zeros as usize]);
        self.update(&bits.to_le_bytes());
        let mut digest = [0; 16];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Digest(digest)
    }

    fn update(&mut self, mut bytes: &[u8]) {
        let filled = (self.length % 64) as usize;
        self.length += bytes.len() as u64;
        if filled > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(64 - filled));
            self.block[filled..filled + head.len()].copy_from_slice(head);
            if filled + head.len() < 64 {
                return;
            }
            mix(&mut self.state, &self.block);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<64>();
        blocks.iter().for_each(|block| mix(&mut self.state, block));
        self.block[..rest.len()].copy_from_slice(rest);
    }
}

fn mix(state: &mut [u32; 4], block: &[u8; 64]) {
    let words: [u32; 16] = std::array::from_fn(|i| {
        u32::from_le_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
    });
    let before = *state;
    round(0, state, |b, c, d| (b & c) | (!b & d), |i| words[i]);
    round(1, state, |b, c, d| (d & b) | (!d & c), |i| words[(5 * i + 1) % 16]);
    round(2, state, |b, c, d| b ^ c ^ d, |i| words[(3 * i + 5) % 16]);
    round(3, state, |b, c, d| c ^ (b | !d), |i| words[7 * i % 16]);
    state.iter_mut().zip(before).for_each(|(new, old)| *new = new.wrapping_add(old));
}

#[inline(always)]
fn round(r: usize, state: &mut [u32; 4], f: impl Fn(u32, u32, u32) -> u32, word: impl Fn(usize) -> u32) {
    let [mut a, mut b, mut c, mut d] = *state;
    for (i, &sine) in SINES[16 * r..16 * (r + 1)].iter().enumerate() {
        let sum = a.wrapping_add(f(b, c, d)).wrapping_add(sine).wrapping_add(word(i));
        (a, b, c, d) = (d, b.wrapping_add(sum.rotate_left(SHIFTS[r][i % 4])), b, c);
    }
    *state = [a, b, c, d];
}

impl Default for Md5 {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Md5 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(bytes: &[u8]) -> String {
        let mut md5 = Md5::new();
        md5.update(bytes);
        md5.finish().to_string()
    }

    #[test]
    fn digests_are_those_of_the_rfc() {
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5(b"message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        let digits = "1234567890".repeat(8);
        assert_eq!(md5(digits.as_bytes()), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn the_digest_does_not_depend_on_how_the_bytes_arrive() {
        for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
            let mut pieces = Md5::new();
            bytes.chunks(13).for_each(|piece| pieces.update(piece));
            assert_eq!(pieces.finish().to_string(), md5(&bytes), "{length} bytes");
        }
    }
}
