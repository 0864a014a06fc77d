use super::*;
use crate::dispatch::{Isa, detect};
use crate::parallel;

/// Numbers in -1..1 with all bits of the mantissa in use.
fn noise<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

/// The slow twin: chains over the inner blocks, added in order, bias last.
#[allow(clippy::too_many_arguments)]
fn naive<T: Real>(
    (m, n, k): (usize, usize, usize),
    a: impl Fn(usize, usize) -> T,
    b: impl Fn(usize, usize) -> T,
    bias: Option<&[T]>,
) -> Vec<T> {
    let element = |i: usize, j: usize| {
        let (mut total, mut start) = (T::ZERO, 0);
        while start < k {
            let end = start + inner_block(k - start);
            let block = (start..end).fold(T::ZERO, |acc, p| a(i, p).mul_add(b(p, j), acc));
            total = if start == 0 { block } else { total + block };
            start = end;
        }
        bias.map_or(total, |bias| total + bias[j])
    };
    (0..m * n).map(|at| element(at / n, at % n)).collect()
}

const SIZES: [(usize, usize, usize); 16] = [
    (1, 2, 1),
    (2, 2, 3),
    (13, 31, 5),
    (14, 32, 16),
    (15, 33, 17),
    (29, 10, 2),
    (17, 65, 33),
    (5, 7, 384),
    (3, 5, 385),
    (15, 40, 768),
    (2, 35, 769),
    (31, 17, 1153),
    (33, 530, 9),
    (100, 70, 40),
    (3, 600, 450),
    (200, 50, 100),
];

fn check<T: Real>(isa: Isa) {
    for (m, n, k) in SIZES.into_iter().filter(|(m, n, k)| crate::affordable(m * n * k / 3)) {
        let (a, b, bias) = (noise::<T>(m * k, 1), noise::<T>(k * n, 2), noise::<T>(n, 3));
        for (a_strides, b_strides) in [((k, 1), (n, 1)), ((1, m), (n, 1)), ((k, 1), (1, k)), ((1, m), (1, k))]
        {
            for bias in [None, Some(&bias[..])] {
                let expected = naive(
                    (m, n, k),
                    |i, p| a[i * a_strides.0 + p * a_strides.1],
                    |p, j| b[p * b_strides.0 + j * b_strides.1],
                    bias,
                );
                let mut c = vec![T::NAN; m * n];
                let product = Product {
                    kernels: Kernels::get(isa),
                    size: (m, n, k),
                    a: Matrix::new(&a, a_strides),
                    b: Matrix::new(&b, b_strides),
                    c: Target { start: c.as_mut_ptr(), row: n },
                    bias: bias.map_or(std::ptr::null(), |bias| bias.as_ptr()),
                };
                // SAFETY: the slices have the size.
                unsafe { product.run() };
                assert!(
                    c == expected,
                    "{isa:?} {:?} {a_strides:?} {b_strides:?} {}",
                    (m, n, k),
                    bias.is_some()
                );
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_bits_of_the_plain_chain() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
        if isa <= detect() {
            check::<f32>(isa);
            check::<f64>(isa);
        }
    }
}

/// The slow twin of the product of a matrix and a vector.
fn naive_dot<T: Real>(a: &[T], x: &[T]) -> T {
    fn halve<T: Real>(mut lanes: [T; 16]) -> T {
        for half in [8, 4, 2, 1] {
            (0..half).for_each(|i| lanes[i] += lanes[i + half]);
        }
        lanes[0]
    }
    let (whole, mut lanes) = ((a.len() - 1) / 16 * 16 + 1, [T::ZERO; 16]);
    lanes[0] = a[0] * x[0];
    (1..whole).for_each(|p| lanes[(p - 1) % 16] = a[p].mul_add(x[p], lanes[(p - 1) % 16]));
    if 1 < whole && whole < a.len() {
        let sum = halve(lanes);
        lanes = [T::ZERO; 16];
        lanes[0] = sum;
    }
    (whole..a.len()).for_each(|p| lanes[p - whole] = a[p].mul_add(x[p], lanes[p - whole]));
    halve(lanes)
}

fn check_vectors<T: Real>(isa: Isa) {
    for k in [1, 2, 10, 16, 17, 18, 32, 33, 40, 100, 784] {
        for m in [1, 2, 15, 16, 17, 33, 70].into_iter().filter(|m| crate::affordable(m * k * 4)) {
            let (a, x) = (noise::<T>(m * (k + 3), 1), noise::<T>(2 * k, 2));
            let expected: Vec<T> = (0..m)
                .map(|i| naive_dot(&a[i * (k + 3)..][..k], &x.iter().copied().step_by(2).collect::<Vec<_>>()))
                .collect();
            let mut y = vec![T::NAN; m];
            dot::matrix_vector(Kernels::get(isa), k, &a, k + 3, &x, 2, &mut y);
            assert!(y == expected, "{isa:?} {m} rows of {k}");
        }
    }
}

#[test]
fn products_with_a_vector_have_the_bits_of_the_plain_lanes() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
        if isa <= detect() {
            check_vectors::<f32>(isa);
            check_vectors::<f64>(isa);
        }
    }
}

#[test]
fn one_row_and_one_column_take_the_dot_products() {
    let (a, x, bias) = (noise::<f32>(5 * 40, 1), noise::<f32>(40, 2), noise::<f32>(5, 3));
    let expected: Vec<f32> = (0..5).map(|i| naive_dot(&a[i * 40..][..40], &x)).collect();
    let mut column = [0.0; 5];
    gemm(5, 1, 40, &a, (40, 1), &x, (1, 1), &mut column, Some(&[0.5]));
    assert!(column.iter().zip(&expected).all(|(y, e)| *y == e + 0.5));
    let mut row = [0.0; 5];
    gemm(1, 5, 40, &x, (40, 1), &a, (1, 40), &mut row, Some(&bias));
    assert!(row.iter().zip(&expected).zip(&bias).all(|((y, e), b)| *y == e + b));
}

#[test]
fn empty_sizes_give_the_bias_or_nothing() {
    let mut c = [f32::NAN; 6];
    gemm(2, 3, 0, &[], (0, 1), &[], (3, 1), &mut c, Some(&[1.0, 2.0, 3.0]));
    assert_eq!(c, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    gemm(2, 3, 0, &[], (0, 1), &[], (3, 1), &mut c, None);
    assert_eq!(c, [0.0; 6]);
    gemm::<f32>(0, 3, 4, &[], (4, 1), &[1.0; 12], (3, 1), &mut [], None);
    gemm::<f32>(3, 0, 4, &[1.0; 12], (4, 1), &[], (0, 1), &mut [], None);
}

#[test]
fn bits_do_not_depend_on_threads() {
    let sizes = [(300, 70, 100), (32, 500, 900), (1, 900, 800), (12, 40, 11), (1, 90, 60)];
    for (m, n, k) in sizes.into_iter().filter(|(m, n, k)| crate::affordable(m * n * k / 11)) {
        let (a, b) = (noise::<f32>(m * k, 1), noise::<f32>(k * n, 2));
        let run = |threads| {
            parallel::set_num_threads(threads);
            let mut c = vec![0.0; m * n];
            gemm(m, n, k, &a, (k, 1), &b, (1, k), &mut c, None);
            c
        };
        let expected = run(1);
        assert!([2, 4, 7].into_iter().all(|threads| run(threads) == expected), "{:?}", (m, n, k));
    }
}

/// The gradient of a narrow layer's weight is computed transposed.
#[test]
fn few_rows_of_a_long_sum_have_the_same_bits() {
    let (m, n, k) = if cfg!(miri) { (3, 5, 400) } else { (20, 150, 1900) };
    let (a, b) = (noise::<f32>(m * k, 1), noise::<f32>(k * n, 2));
    let expected = naive((m, n, k), |i, p| a[p * m + i], |p, j| b[p * n + j], None);
    let mut c = vec![f32::NAN; m * n];
    gemm(m, n, k, &a, (1, m), &b, (n, 1), &mut c, None);
    assert!(c == expected);
}

#[test]
fn skipping_zeros_changes_no_bit() {
    let sizes = [
        (2, 40, 900),
        (32, 784, 384),
        (33, 65, 385),
        (70, 300, 50),
        (600, 33, 40),
        (2, 64, if cfg!(miri) { 12 } else { 521 }),
    ];
    for (m, n, k) in sizes.into_iter().filter(|(m, n, k)| crate::affordable(m * n * k / 80)) {
        for (transposed, share) in [(true, 0.1), (false, 0.1), (true, 0.5), (false, 0.5)] {
            let (mut a, b) = (noise::<f32>(m * k, 1), noise::<f32>(k * n, 2));
            let mask = noise::<f32>(m * k, 3);
            a.iter_mut().zip(mask).filter(|(_, mask)| mask.abs() > share).for_each(|(a, _)| *a = 0.0);
            let strides = if transposed { (1, m) } else { (k, 1) };
            let (mut c, mut d) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
            gemm(m, n, k, &a, strides, &b, (n, 1), &mut c, None);
            let mut asked = false;
            let finite = || {
                asked = true;
                true
            };
            gemm_skipping_zeros(m, n, k, &a, strides, &b, &mut d, finite);
            assert!(asked, "{m} {n} {k} skips");
            let bits = |c: &[f32]| c.iter().map(|c| c.to_bits()).collect::<Vec<_>>();
            assert!(bits(&c) == bits(&d), "{m} {n} {k} {transposed} {share}");
        }
    }
}

/// The sum of all but the first product would turn -0 into 0.
#[test]
fn sums_that_underflow_are_zero_without_a_sign() {
    let (m, n, k) = if cfg!(miri) { (2, 64, 12) } else { (8, 64, 256) };
    let (mut a, b) = (vec![0.0_f32; m * k], vec![1e-30; k * n]);
    a[0] = -1e-30;
    let (mut c, mut d) = (vec![1.0; m * n], vec![1.0; m * n]);
    gemm(m, n, k, &a, (k, 1), &b, (n, 1), &mut c, None);
    gemm_skipping_zeros(m, n, k, &a, (k, 1), &b, &mut d, || true);
    assert!(c.iter().chain(&d).all(|c| c.to_bits() == 0));
    gemm(m, n, 1, &a, (k, 1), &b, (n, 1), &mut c, None);
    assert!(c.iter().all(|c| c.to_bits() == 0));
}

#[test]
fn a_vector_may_be_one_number_again_and_again() {
    let mut c = [0.0; 2];
    gemm(2, 1, 3, &[1.0, 2.0, 3.0, 1.0, 1.0, 1.0], (3, 1), &[2.0], (0, 1), &mut c, None);
    assert_eq!(c, [12.0, 6.0]);
}

#[test]
fn zeros_are_multiplied_where_infinities_are() {
    let (m, n, k) = if cfg!(miri) { (2, 64, 12) } else { (8, 64, 400) };
    let (mut a, mut b) = (vec![0.0; m * k], vec![1.0; k * n]);
    a[5] = 1.0;
    b[3] = f32::INFINITY;
    let mut c = vec![0.0; m * n];
    gemm_skipping_zeros(m, n, k, &a, (k, 1), &b, &mut c, || b.iter().all(|b| b.is_finite()));
    assert!(c[3].is_nan() && c[0] == 1.0);
}

#[test]
#[should_panic(expected = "gemm: a has 5 elements, too few for shape (2, 3) with strides (3, 1)")]
fn a_short_matrix_panics() {
    gemm(2, 1, 3, &[0.0; 5], (3, 1), &[0.0; 3], (1, 1), &mut [0.0; 2], None);
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let shapes: &[(&str, usize, usize, usize, bool, bool)] = &[
        ("12665x784 @ 784x32t", 12665, 32, 784, false, true),
        ("32x12665t @ 12665x784", 32, 784, 12665, true, false),
        ("12665x32 @ 32x784", 12665, 784, 32, false, false),
        ("256x784 @ 784x256t", 256, 256, 784, false, true),
        ("256x256t @ 256x784", 256, 784, 256, true, false),
        ("256x784 @ 784x4096t", 256, 4096, 784, false, true),
        ("4096x256t @ 256x784", 4096, 784, 256, true, false),
        ("256x4096 @ 4096x10t", 256, 10, 4096, false, true),
        ("256x10 @ 10x4096", 256, 4096, 10, false, false),
        ("10x256t @ 256x4096", 10, 4096, 256, true, false),
        ("256x1024 @ 1024x10t", 256, 10, 1024, false, true),
        ("16x784 @ 784x32t", 16, 32, 784, false, true),
        ("32x16t @ 16x784", 32, 784, 16, true, false),
        ("800x2 @ 2x10t", 800, 10, 2, false, true),
        ("800x10 @ 10x10t", 800, 10, 10, false, true),
        ("10x800t @ 800x10", 10, 10, 800, true, false),
        ("800x10 @ 10x1t", 800, 1, 10, false, true),
        ("12665x32 @ 32x1t", 12665, 1, 32, false, true),
        ("1x784 @ 784x256t", 1, 256, 784, false, true),
        ("1x256 @ 256x10t", 1, 10, 256, false, true),
        ("1024^3", 1024, 1024, 1024, false, false),
    ];
    for &(name, m, n, k, ta, tb) in shapes {
        let (a, b, bias) = (noise::<f32>(m * k, 1), noise::<f32>(k * n, 2), noise::<f32>(n, 3));
        let mut c = vec![0.0f32; m * n];
        let (sa, sb) = (if ta { (1, m) } else { (k, 1) }, if tb { (1, k) } else { (n, 1) });
        let mut row = String::new();
        for threads in [1, 2] {
            parallel::set_num_threads(threads);
            let mut times = Vec::new();
            let begun = std::time::Instant::now();
            while times.len() < 15 || begun.elapsed().as_millis() < 150 {
                let start = std::time::Instant::now();
                for _ in 0..1 {
                    gemm(m, n, k, &a, sa, &b, sb, &mut c, Some(&bias));
                }
                times.push(start.elapsed().as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            let t = times[0];
            row += &format!("{:10.1} us {:6.1} GFLOP/s", t * 1e6, (2 * m * n * k) as f64 / t / 1e9);
        }
        println!("{name:24}{row}");
    }
}
