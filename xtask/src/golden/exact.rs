//! Exact sums and hashes.

/// The sum of `values` rounded once, as Python's `math.fsum`.
///
/// Keeps the running sum as non-overlapping partial sums of increasing magnitude (Shewchuk, "Adaptive
/// precision floating-point arithmetic and fast robust geometric predicates", 1997). Infinities and NaN are
/// added plainly.
pub fn fsum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    let mut special = 0.0;
    for v in values {
        if !v.is_finite() {
            special += v;
            continue;
        }
        let mut x = v;
        let mut kept = 0;
        for j in 0..partials.len() {
            let (hi, lo) = two_sum(x, partials[j]);
            if lo != 0.0 {
                partials[kept] = lo;
                kept += 1;
            }
            x = hi;
        }
        partials.truncate(kept);
        partials.push(x);
    }
    if special != 0.0 || special.is_nan() { special } else { rounded(&partials) }
}

/// `a + b` as a rounded sum and its exact error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let (a, b) = if a.abs() < b.abs() { (b, a) } else { (a, b) };
    let hi = a + b;
    (hi, b - (hi - a))
}

/// Adds the partial sums from the largest down and corrects the one case in which that rounds twice: a
/// remainder of exactly half a unit whose sign the next partial sum decides.
fn rounded(partials: &[f64]) -> f64 {
    let Some((&top, rest)) = partials.split_last() else { return 0.0 };
    let mut hi = top;
    let mut rest = rest.iter().rev();
    while let Some(&p) = rest.next() {
        let (sum, lo) = two_sum(hi, p);
        hi = sum;
        if lo != 0.0 {
            if let Some(&next) = rest.next()
                && (lo < 0.0) == (next < 0.0)
            {
                let twice = lo * 2.0;
                let x = hi + twice;
                if x - hi == twice {
                    hi = x;
                }
            }
            break;
        }
    }
    hi
}

/// FNV-1a, 64 bits.
pub fn fnv1a64(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fsum_rounds_the_exact_sum_once() {
        assert_eq!(fsum([1e100, 1.0, -1e100]), 1.0);
        assert_eq!(fsum([0.1; 10]), 1.0);
        assert_eq!(fsum([]), 0.0);
        // Half a unit of 2^53 plus a little: rounding twice would fall to the even neighbour below.
        assert_eq!(fsum([2f64.powi(53), 1.0, 1e-100]), 2f64.powi(53) + 2.0);
        assert_eq!(fsum([2f64.powi(53), 1.0, -1e-100]), 2f64.powi(53));
        assert!(fsum([f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(fsum([1.0, f64::INFINITY]), f64::INFINITY);
    }

    #[test]
    fn fnv_matches_published_values() {
        assert_eq!(fnv1a64(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a64(*b"foobar"), 0x8594_4171_f739_67e8);
    }
}
