//! Sums against PyTorch's bits, everything else against loops one can read.

use super::*;
use crate::dispatch::{Isa, set_isa};
use crate::parallel::set_num_threads;

/// The same numbers as in the Python lines that made the tables:
/// `h = i*2654435761 % 2**32; h = (h*h >> 7) & 0xffffff; h * 2**-24 - 0.25`, in f64 times 0.1.
fn data<T: Real>(n: usize) -> Vec<T> {
    let scale = if size_of::<T>() == 4 { 1.0 } else { 0.1 };
    let hash = |i: u64| {
        let h = i * 2_654_435_761 % (1 << 32);
        (h.wrapping_mul(h) >> 7) & 0xff_ffff
    };
    (0..n as u64).map(|i| T::from_f64((hash(i) as f64 / 16_777_216.0 - 0.25) * scale)).collect()
}

fn bytes<T: Real>(x: T) -> Vec<u8> {
    if size_of::<T>() == 4 {
        (x.to_f64() as f32).to_le_bytes().to_vec()
    } else {
        x.to_f64().to_le_bytes().to_vec()
    }
}

/// FNV-1a 64 of the little-endian bytes.
fn fnv<T: Real>(x: &[T]) -> u64 {
    x.iter()
        .flat_map(|&x| bytes(x))
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

fn check_sums<T: Real>(
    sums: &[(usize, u64)],
    over_rows: &[(usize, usize, u64)],
    of_rows: &[(usize, usize, u64)],
) {
    for (isa, threads) in [(Isa::Portable, 1), (Isa::Avx2, 2), (Isa::Avx512, 4)] {
        set_isa(isa);
        set_num_threads(threads);
        for &(n, want) in sums.iter().filter(|(n, _)| crate::affordable(*n)) {
            let mut le = bytes(sum(&data::<T>(n)));
            le.resize(8, 0);
            assert_eq!(u64::from_le_bytes(le.try_into().unwrap()), want, "sum of {n} on {isa:?}");
        }
        for &(m, n, want) in over_rows.iter().filter(|(m, n, _)| crate::affordable(m * n)) {
            let mut y = vec![T::NAN; n];
            sum_rows(&data(m * n), m, n, &mut y);
            assert_eq!(fnv(&y), want, "[{m}, {n}].sum(0) on {isa:?}");
        }
        for &(m, n, want) in of_rows.iter().filter(|(m, n, _)| crate::affordable(m * n)) {
            let mut y = vec![T::NAN; m];
            sum_dim(&data(m * n), m, n, 1, &mut y);
            assert_eq!(fnv(&y), want, "[{m}, {n}].sum(1) on {isa:?}");
        }
    }
}

#[test]
fn f32_sums_have_pytorchs_bits() {
    check_sums::<f32>(&SUMS_F32, &OVER_ROWS_F32, &OF_ROWS_F32);
}

#[test]
fn f64_sums_have_pytorchs_bits() {
    check_sums::<f64>(&SUMS_F64, &OVER_ROWS_F64, &OF_ROWS_F64);
}

#[test]
fn the_sum_of_nothing_is_zero() {
    assert_eq!(sum::<f32>(&[]), 0.0);
    let mut y = [1.0f32; 3];
    sum_rows(&[], 0, 3, &mut y);
    assert_eq!(y, [0.0; 3]);
    sum_dim(&[], 3, 0, 1, &mut y);
    assert_eq!(y, [0.0; 3]);
    sum_rows::<f32>(&[], 5, 0, &mut []);
}

/// Shapes with every fast path and its odd ends.
const SHAPES: [[usize; 3]; 11] = [
    [1, 1, 1],
    [0, 3, 2],
    [2, 3, 0],
    [3, 5, 1],
    [4, 16, 1],
    [7, 33, 1],
    [2, 3, 5],
    [3, 7, 40],
    [1, 100, 700],
    [40, 1000, 1],
    [3, 50, 300],
];

fn shapes() -> impl Iterator<Item = [usize; 3]> {
    SHAPES.into_iter().filter(|shape| crate::affordable(shape.iter().product()))
}

fn check_fold(identity: f64, f: impl Fn(f64, f64) -> f64 + Copy + Sync) {
    for [outer, len, inner] in shapes() {
        let mut x = data::<f64>(outer * len * inner);
        if let Some(last) = x.last_mut() {
            *last = f64::NAN;
        }
        for threads in [1, 2] {
            set_num_threads(threads);
            let mut y = vec![0.5; outer * inner];
            fold(&x, outer, len, inner, &mut y, identity, f);
            for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
                let want = (0..len).fold(identity, |y, l| f(y, x[(o * len + l) * inner + i]));
                let got = y[o * inner + i];
                let same = (got - want).abs() <= 1e-12 * want.abs() || (got.is_nan() && want.is_nan());
                assert!(same, "[{outer}, {len}, {inner}] at {o}, {i}: {got}, want {want}");
            }
        }
    }
}

#[test]
fn folds_agree_with_the_loop_and_nan_wins() {
    check_fold(f64::NEG_INFINITY, Real::maximum);
    check_fold(f64::INFINITY, Real::minimum);
    check_fold(1.0, |a, b| a * b);
}

#[test]
fn an_empty_dimension_folds_to_the_identity() {
    let mut y = [false; 2];
    fold(&[], 2, 0, 1, &mut y, true, |a, b| a && b);
    assert_eq!(y, [true; 2]);
}

#[test]
fn arg_finds_the_first_best_and_nan_wins() {
    for [outer, len, inner] in shapes() {
        // Few different values, so that ties are common.
        let mut x: Vec<f32> = data(outer * len * inner).iter().map(|v: &f32| (v * 8.0).floor()).collect();
        x.iter_mut().skip(77).step_by(301).for_each(|v| *v = f32::NAN);
        let mut y = vec![-1; outer * inner];
        let key = |v: f32| if v.is_nan() { f32::INFINITY } else { v };
        arg(&x, outer, len, inner, &mut y, greater);
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let value = |l: usize| key(x[(o * len + l) * inner + i]);
            let want = (0..len).rev().max_by(|&a, &b| value(a).total_cmp(&value(b))).unwrap();
            assert_eq!(y[o * inner + i], want as i64);
        }
        let negated: Vec<f32> = x.iter().map(|v| -v).collect();
        let mut z = vec![-1; outer * inner];
        arg(&negated, outer, len, inner, &mut z, less);
        assert_eq!(y, z);
    }
}

#[test]
#[should_panic(expected = "arg: nothing to choose from in a dimension of size 0")]
fn arg_of_nothing_panics() {
    arg::<f32, _>(&[], 1, 0, 1, &mut [0], greater);
}

// Made with PyTorch 2.15.0 on one thread: bits of `x.sum()`, FNV-1a 64 of the bytes of `x.sum(0)` and `x.sum(1)`.

const SUMS_F32: [(usize, u64); 15] = [
    (1, 0xbe80_0000),
    (5, 0x402e_85fa),
    (7, 0x4085_c2a9),
    (8, 0x409c_8df1),
    (9, 0x40b2_fab7),
    (31, 0x416f_a6cc),
    (33, 0x416f_39a6),
    (100, 0x41fb_befe),
    (511, 0x4305_2be6),
    (512, 0x4305_1859),
    (1000, 0x4380_83c2),
    (4097, 0x4480_9dfc),
    (65535, 0x4680_34c0),
    (100000, 0x46c3_7183),
    (3000000, 0x4937_33f2),
];
const OVER_ROWS_F32: [(usize, usize, u64); 13] = [
    (1, 1, 0x4b72_c87f_9c5d_0acb),
    (5, 3, 0x375f_a756_b381_cec6),
    (7, 7, 0x77ca_4afa_9b4e_b8f3),
    (3, 8, 0x66a7_c13b_dc40_6b86),
    (17, 10, 0x70b9_ff88_e3d5_fb33),
    (1000, 2, 0x6209_66b4_16a3_6132),
    (100, 32, 0xd186_8523_0c41_f095),
    (1000, 45, 0xb501_acfa_6e32_ce48),
    (12665, 32, 0x65bf_1f2d_afae_7113),
    (64, 100, 0xa483_03b5_aeaf_747c),
    (2000, 9, 0x661a_dfcf_87dd_6f44),
    (256, 4096, 0x9afc_72f0_d009_2409),
    (1, 50, 0x1c1a_347f_f6ac_840c),
];
const OF_ROWS_F32: [(usize, usize, u64); 10] = [
    (1, 1, 0x4b72_c87f_9c5d_0acb),
    (5, 3, 0xa715_7dea_24e5_015b),
    (7, 7, 0x3547_3cdf_7409_e277),
    (3, 8, 0xded5_766d_4ddd_b9b9),
    (17, 10, 0x68a4_5fbd_5765_43bc),
    (1000, 2, 0x9995_c36d_8dd7_a34d),
    (100, 32, 0x652a_2117_069d_b3b2),
    (1000, 45, 0x9557_4733_182f_055a),
    (64, 100, 0x4d82_5596_b46d_1f1d),
    (5, 12665, 0xae25_f0ff_6cae_a4ce),
];
const SUMS_F64: [(usize, u64); 15] = [
    (1, 0xbf99_9999_9999_999a),
    (5, 0x3fd1_73cc_2000_0000),
    (7, 0x3fda_c088_4000_0001),
    (8, 0x3fdf_4f96_9333_3334),
    (9, 0x3fe1_e5df_1666_6666),
    (31, 0x3ff7_f714_8e66_6667),
    (33, 0x3ff7_ec2a_1b33_3333),
    (100, 0x4009_2cb2_eb33_3334),
    (511, 0x402a_a261_4000_0000),
    (512, 0x402a_9e78_2999_999b),
    (1000, 0x4039_b3f3_a74c_cccd),
    (4097, 0x4059_b932_9000_0000),
    (65535, 0x4099_a426_7290_0000),
    (100000, 0x40a3_8b59_fa9c_3333),
    (3000000, 0x40f2_51fe_879f_7ccd),
];
const OVER_ROWS_F64: [(usize, usize, u64); 13] = [
    (1, 1, 0x4f33_1cc0_ee65_6564),
    (5, 3, 0x2541_86a8_89e8_ce1b),
    (7, 7, 0xcc0c_74ee_49c2_af6b),
    (3, 8, 0x6eae_912f_3068_5669),
    (17, 10, 0x5eb7_fc2b_b925_a578),
    (1000, 2, 0x68f1_9af4_7155_89ba),
    (100, 32, 0x26c5_57f2_7136_4380),
    (1000, 45, 0x305e_3639_7399_33de),
    (12665, 32, 0x2a94_e2bc_19dc_c0ed),
    (64, 100, 0x95c8_566e_e799_b77c),
    (2000, 9, 0x7fc6_04cd_6357_ca17),
    (256, 4096, 0x5ed1_4273_5f7e_ddab),
    (1, 50, 0xa08b_7b2c_dbbb_0248),
];
const OF_ROWS_F64: [(usize, usize, u64); 10] = [
    (1, 1, 0x4f33_1cc0_ee65_6564),
    (5, 3, 0x6fac_04d5_df3f_c8b5),
    (7, 7, 0x6687_ad62_73f4_4ce7),
    (3, 8, 0xc869_c528_086a_3452),
    (17, 10, 0x2547_6b82_0aeb_4ca6),
    (1000, 2, 0xdf50_cce7_c124_6422),
    (100, 32, 0xda0c_559e_1673_49f9),
    (1000, 45, 0x99e8_c02a_d383_29d3),
    (64, 100, 0x3ec7_cce3_1cdb_7f89),
    (5, 12665, 0x2e98_940e_cc62_abea),
];
