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

const SIZES: [(usize, usize, usize); 19] = [
    (0, 3, 4),
    (3, 0, 4),
    (3, 4, 0),
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
    for (m, n, k) in SIZES {
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
                if k == 0 || m == 0 || n == 0 {
                    continue;
                }
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
