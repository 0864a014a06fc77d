//! Whether a result equals the stored one under the case's `cmp`.

use super::array::{Body, Digest, Numbers, Plain, Stored};
use super::exact::{fnv1a64, fsum};
use super::fault::{Result, failed};
use serde_json::Value as Json;

/// The rule of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cmp {
    /// The same bits; any NaN equals any NaN. With `zeros_equal`, +0 equals -0.
    Bits { zeros_equal: bool },
    /// At most this many representable numbers apart.
    Ulp(u64),
    /// `|got - expected| <= abs + rel * |expected|`.
    Close { rel: f64, abs: f64 },
}

impl Cmp {
    /// Reads `"bits"`, `{"ulp":k}` or `{"rel":r,"abs":a}`.
    pub fn read(json: Option<&Json>, zeros_equal: bool) -> Result<Cmp> {
        let Some(json) = json else { return failed("a case without `cmp`") };
        let number = |key: &str| json.get(key).and_then(Json::as_f64);
        if json.as_str() == Some("bits") {
            Ok(Cmp::Bits { zeros_equal })
        } else if let Some(k) = json.get("ulp").and_then(Json::as_u64) {
            Ok(Cmp::Ulp(k))
        } else if let (Some(rel), Some(abs)) = (number("rel"), number("abs")) {
            Ok(Cmp::Close { rel, abs })
        } else {
            failed(format!("unknown comparison {json}"))
        }
    }

    fn f32(&self, e: f32, g: f32) -> bool {
        match *self {
            Cmp::Ulp(k) => same_kind(e.into(), g.into()) && ordered32(e).abs_diff(ordered32(g)) <= k,
            _ => self.f64(e.into(), g.into()),
        }
    }

    /// Widening keeps f32 bits apart, so this also decides `Bits` and `Close` for f32.
    fn f64(&self, e: f64, g: f64) -> bool {
        if e.is_nan() || g.is_nan() {
            return e.is_nan() && g.is_nan();
        }
        match *self {
            Cmp::Bits { zeros_equal } => e == g && (zeros_equal || e.to_bits() == g.to_bits()),
            Cmp::Ulp(k) => same_kind(e, g) && ordered64(e).abs_diff(ordered64(g)) <= k,
            Cmp::Close { rel, abs } => e == g || (g.is_finite() && (e - g).abs() <= abs + rel * e.abs()),
        }
    }
}

fn same_kind(e: f64, g: f64) -> bool {
    e.is_nan() == g.is_nan() && e.is_infinite() == g.is_infinite()
}

/// Integers in the order of the floats, with both zeros at 0.
fn ordered32(x: f32) -> i64 {
    let magnitude = i64::from(x.to_bits() & 0x7fff_ffff);
    if x.is_sign_negative() { -magnitude } else { magnitude }
}

fn ordered64(x: f64) -> i64 {
    let magnitude = (x.to_bits() & 0x7fff_ffff_ffff_ffff) as i64;
    if x.is_sign_negative() { -magnitude } else { magnitude }
}

/// What differs, or `None`.
pub fn difference(expected: &Stored, got: &Plain, cmp: Cmp) -> Option<String> {
    let kind = if expected.dtype.starts_with('f') { &expected.dtype } else { "int" };
    if kind != got.data.kind() {
        return Some(format!(": expected {}, got {}", expected.dtype, got.data.kind()));
    }
    if expected.shape != got.shape {
        return Some(format!(": expected shape {:?}, got {:?}", expected.shape, got.shape));
    }
    let places: Vec<usize> = (0..got.data.len()).collect();
    match &expected.body {
        Body::Whole(values) => elements(values, &got.data, &places, cmp),
        Body::Digest(d) => digest(&expected.dtype, d, &got.data, cmp),
    }
}

fn digest(dtype: &str, d: &Digest, got: &Numbers, cmp: Cmp) -> Option<String> {
    let n = got.len();
    let parts = [
        (&d.head, (0..d.head.len()).collect::<Vec<_>>()),
        (&d.tail, (n - d.tail.len()..n).collect()),
        (&d.at, d.idx.clone()),
    ];
    for (values, places) in &parts {
        if let Some(text) = elements(values, got, places, cmp) {
            return Some(text);
        }
    }
    sums(d, got, cmp).or_else(|| hash(dtype, d, got, cmp))
}

/// The sums of a digest may differ by what the rule allows each element to differ.
fn sums(d: &Digest, got: &Numbers, cmp: Cmp) -> Option<String> {
    if let (Some(sum), Numbers::Int(v)) = (d.sum, got) {
        let s: i128 = v.iter().sum();
        return (s != sum).then(|| format!("sum: expected {sum}, got {s}"));
    }
    let (sum, abs_sum) = d.fsum?;
    let epsilon = if got.kind() == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let slack = match cmp {
        Cmp::Bits { .. } => 0.0,
        Cmp::Ulp(k) => k as f64 * epsilon * abs_sum,
        Cmp::Close { rel, abs } => rel * abs_sum + abs * got.len() as f64,
    };
    let values = got.floats();
    let (s, a) = (fsum(values.iter().copied()), fsum(values.iter().map(|x| x.abs())));
    for (what, e, g) in [("sum", sum, s), ("sum of magnitudes", abs_sum, a)] {
        let same = e == g || (e.is_nan() && g.is_nan()) || (e - g).abs() <= slack;
        if !same {
            return Some(format!("exact {what}: expected {e:?}, got {g:?}"));
        }
    }
    None
}

/// The hash of a digest counts only when equal values mean equal bytes.
fn hash(dtype: &str, d: &Digest, got: &Numbers, cmp: Cmp) -> Option<String> {
    let Cmp::Bits { zeros_equal } = cmp else { return None };
    let ambiguous = got.floats().iter().any(|x| x.is_nan() || (zeros_equal && *x == 0.0));
    let (expected, h) = (d.hash?, fnv1a64(got.bytes(dtype)));
    let differs = expected != h && !ambiguous;
    differs.then(|| format!("hash of all {} values: expected {expected:016x}, got {h:016x}", got.len()))
}

/// Compares `expected[i]` with `got[places[i]]`.
fn elements(expected: &Numbers, got: &Numbers, places: &[usize], cmp: Cmp) -> Option<String> {
    match (expected, got) {
        (Numbers::F32(e), Numbers::F32(g)) => {
            first(e, places, |i| g[i], |e, g| cmp.f32(*e, *g), |x| format!("{x:?} ({:08x})", x.to_bits()))
        }
        (Numbers::F64(e), Numbers::F64(g)) => {
            first(e, places, |i| g[i], |e, g| cmp.f64(*e, *g), |x| format!("{x:?} ({:016x})", x.to_bits()))
        }
        (Numbers::Int(e), Numbers::Int(g)) => first(e, places, |i| g[i], |e, g| e == g, |x| x.to_string()),
        _ => Some(format!("expected {}, got {}", expected.kind(), got.kind())),
    }
}

/// Reports the first difference and how many there are.
fn first<T>(
    expected: &[T],
    places: &[usize],
    got: impl Fn(usize) -> T,
    same: impl Fn(&T, &T) -> bool,
    show: impl Fn(&T) -> String,
) -> Option<String> {
    let differ = |&(e, &p): &(&T, &usize)| !same(e, &got(p));
    let mut wrong = expected.iter().zip(places).filter(differ);
    let (e, &p) = wrong.next()?;
    let count = 1 + wrong.count();
    let (e, g, n) = (show(e), show(&got(p)), expected.len());
    Some(format!("[{p}]: expected {e}, got {g}; {count} of {n} differ"))
}

/// Compares a dropout mask with `keep`: the indices kept, or their first, last, sum and hash.
pub fn mask_difference(keep: &Json, mask: &[bool]) -> Option<String> {
    let kept: Vec<u64> = (0u64..).zip(mask).filter(|(_, m)| **m).map(|(i, _)| i).collect();
    let number = |key: &str| keep.get(key).and_then(Json::as_u64);
    let list =
        |key: &str| -> Option<Vec<u64>> { keep.get(key)?.as_array()?.iter().map(Json::as_u64).collect() };
    let facts = [
        ("n", number("n"), mask.len() as u64),
        ("kept", number("kept"), kept.len() as u64),
        ("kept_idx_sum", number("kept_idx_sum"), kept.iter().sum()),
        (
            "fnv1a64_u8",
            keep.get("fnv1a64_u8").and_then(Json::as_str).and_then(|h| u64::from_str_radix(h, 16).ok()),
            fnv1a64(mask.iter().map(|m| u8::from(*m))),
        ),
    ];
    for (key, expected, got) in facts {
        if expected.is_some_and(|e| e != got) {
            return Some(format!("keep.{key}: expected {}, got {got}", expected.unwrap_or_default()));
        }
    }
    if number("n").is_none() || number("kept").is_none() {
        return Some(format!("`keep` says nothing: {keep}"));
    }
    let tail = |n: usize| kept[kept.len().saturating_sub(n)..].to_vec();
    let lists =
        [("kept_idx", kept.clone()), ("first", kept[..kept.len().min(40)].to_vec()), ("last", tail(10))];
    for (key, got) in lists {
        if list(key).is_some_and(|e| e != got) {
            return Some(format!("keep.{key}: expected {:?}, got {got:?}", list(key).unwrap_or_default()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: Cmp = Cmp::Bits { zeros_equal: false };

    fn f32s(values: &[f32]) -> Plain {
        Plain { shape: vec![values.len()], data: Numbers::F32(values.to_vec()) }
    }

    fn stored(values: &[f32]) -> Stored {
        let hex: String = values.iter().map(|v| format!("{:08x}", v.to_bits())).collect();
        let json = serde_json::json!({"dtype": "f32", "shape": [values.len()], "hex": hex});
        Stored::read(&json).unwrap()
    }

    #[test]
    fn bits_mean_bits_except_nan_and_where_allowed_zero() {
        let nan = f32::from_bits(0x7fc0_0001);
        assert_eq!(difference(&stored(&[1.0, f32::NAN]), &f32s(&[1.0, nan]), BITS), None);
        assert!(difference(&stored(&[0.0]), &f32s(&[-0.0]), BITS).is_some());
        assert_eq!(difference(&stored(&[0.0]), &f32s(&[-0.0]), Cmp::Bits { zeros_equal: true }), None);
        assert!(difference(&stored(&[1.0]), &f32s(&[1.0 + f32::EPSILON]), BITS).is_some());
        assert!(difference(&stored(&[f32::NAN]), &f32s(&[1.0]), BITS).is_some());
        assert!(difference(&stored(&[1.0]), &f32s(&[f32::NAN]), Cmp::Close { rel: 1.0, abs: 1.0 }).is_some());
    }

    #[test]
    fn ulps_are_counted_across_zero_and_never_reach_infinity() {
        let tiny = f32::from_bits(1);
        assert_eq!(difference(&stored(&[tiny]), &f32s(&[-tiny]), Cmp::Ulp(2)), None);
        assert!(difference(&stored(&[tiny]), &f32s(&[-tiny]), Cmp::Ulp(1)).is_some());
        assert!(difference(&stored(&[f32::MAX]), &f32s(&[f32::INFINITY]), Cmp::Ulp(9)).is_some());
    }

    #[test]
    fn shape_and_kind_must_agree() {
        let close = Cmp::Close { rel: 1.0, abs: 1.0 };
        assert!(difference(&stored(&[1.0, 2.0]), &f32s(&[1.0]), close).is_some());
        let ints = Plain { shape: vec![1], data: Numbers::Int(vec![1]) };
        assert!(difference(&stored(&[1.0]), &ints, close).is_some());
    }

    #[test]
    fn a_digest_sees_a_change_anywhere() {
        let values: Vec<i128> = (0..500).collect();
        let at: Vec<usize> = (0..12).map(|i| i * 499 / 11).collect();
        let json = serde_json::json!({"dtype": "i64", "shape": [500], "head": (0..10).collect::<Vec<_>>(),
            "tail": (490..500).collect::<Vec<_>>(), "idx": at, "at": at, "sum": 499 * 250,
            "fnv1a64_le": format!("{:016x}", fnv1a64(Numbers::Int(values.clone()).bytes("i64")))});
        let stored = Stored::read(&json).unwrap();
        let plain = |v: &[i128]| Plain { shape: vec![500], data: Numbers::Int(v.to_vec()) };
        assert_eq!(difference(&stored, &plain(&values), BITS), None);
        for (i, text) in [(3, "[3]"), (495, "[495]"), (100, "sum")] {
            let mut wrong = values.clone();
            wrong[i] += 1;
            assert!(difference(&stored, &plain(&wrong), BITS).unwrap().starts_with(text));
        }
        let mut swapped = values.clone();
        swapped.swap(100, 101);
        assert!(difference(&stored, &plain(&swapped), BITS).unwrap().starts_with("hash"));
    }

    #[test]
    fn masks_are_compared_by_every_stored_fact() {
        let keep = serde_json::json!({"n": 4, "kept": 2, "kept_idx": [1, 3]});
        assert_eq!(mask_difference(&keep, &[false, true, false, true]), None);
        assert!(mask_difference(&keep, &[true, true, false, false]).is_some());
        assert!(mask_difference(&serde_json::json!({}), &[true]).is_some());
    }
}
