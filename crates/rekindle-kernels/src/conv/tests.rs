use super::*;
use crate::dispatch::detect;
use crate::parallel::set_num_threads;

fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// The slow twin of all three directions: calls `f(x index, w index, y index)` for every product in the sums.
fn for_each_product(s: &Conv2dShape, mut f: impl FnMut(usize, usize, usize)) {
    let ((h, w), (kh, kw), (oh, ow)) = (s.size, s.kernel, s.out_size());
    let (ci, co) = s.group_channels();
    for y in 0..s.y_len() {
        let (b, o, i, j) =
            (y / (s.out_channels * oh * ow), y / (oh * ow) % s.out_channels, y / ow % oh, y % ow);
        for (c, p, q) in (0..ci * kh * kw).map(|t| (t / (kh * kw), t / kw % kh, t % kw)) {
            let r = (i * s.stride.0 + p * s.dilation.0).wrapping_sub(s.padding.0);
            let t = (j * s.stride.1 + q * s.dilation.1).wrapping_sub(s.padding.1);
            if r < h && t < w {
                f(
                    ((b * s.in_channels + o / co * ci + c) * h + r) * w + t,
                    ((o * ci + c) * kh + p) * kw + q,
                    y,
                );
            }
        }
    }
}

fn shapes() -> Vec<Conv2dShape> {
    let work = |s: &Conv2dShape| s.y_len() * s.w_len() / s.out_channels;
    all_shapes().into_iter().filter(|s| crate::affordable(work(s))).collect()
}

fn all_shapes() -> Vec<Conv2dShape> {
    let s = Conv2dShape::default();
    let r = |batch, in_channels, out_channels, size, kernel| Conv2dShape {
        batch,
        in_channels,
        out_channels,
        size,
        kernel,
        ..s
    };
    vec![
        r(0, 2, 3, (4, 4), (3, 3)),
        r(1, 1, 1, (1, 1), (1, 1)),
        r(1, 2, 3, (3, 4), (2, 3)),
        r(2, 3, 5, (4, 5), (2, 3)),
        r(3, 1, 64, (28, 28), (5, 5)),
        r(9, 20, 17, (12, 12), (5, 5)),
        r(2, 4, 6, (2, 2), (3, 3)),
        r(2, 2, 3, (1, 40), (1, 7)),
        r(2, 3, 130, (7, 6), (1, 1)),
        r(1, 2, 3, (40, 41), (3, 3)),
        Conv2dShape { padding: (1, 2), ..r(2, 3, 4, (6, 5), (3, 4)) },
        Conv2dShape { stride: (2, 3), padding: (2, 1), ..r(2, 3, 4, (9, 10), (3, 3)) },
        Conv2dShape { dilation: (2, 3), padding: (3, 2), ..r(2, 2, 4, (9, 10), (3, 2)) },
        Conv2dShape { groups: 2, ..r(3, 4, 6, (5, 5), (3, 3)) },
        Conv2dShape { groups: 2, padding: (1, 0), ..r(2, 2, 4, (3, 3), (2, 2)) },
        Conv2dShape {
            groups: 6,
            stride: (2, 1),
            padding: (1, 1),
            dilation: (1, 2),
            ..r(2, 6, 12, (8, 9), (3, 3))
        },
        Conv2dShape { padding: (4, 4), ..r(1, 1, 2, (2, 3), (3, 3)) },
        Conv2dShape { stride: (1, 4), padding: (0, 5), ..r(2, 1, 2, (1, 9), (1, 3)) },
    ]
}

fn close(what: &str, s: &Conv2dShape, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= 1e-11 * (1.0 + e.abs()), "{what} [{i}]: {g} instead of {e} for {s:?}");
    }
}

#[test]
fn all_directions_agree_with_the_plain_sums() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= detect()) {
        for s in shapes() {
            let (x, w, dy) = (noise(s.x_len(), 1), noise(s.w_len(), 2), noise(s.y_len(), 3));
            let b = noise(s.out_channels, 4);
            let (oh, ow) = s.out_size();
            let mut expected: Vec<f64> = (0..s.y_len()).map(|i| b[i / (oh * ow) % s.out_channels]).collect();
            let (mut expected_dx, mut expected_dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
            for_each_product(&s, |ix, iw, iy| {
                expected[iy] += x[ix] * w[iw];
                expected_dx[ix] += dy[iy] * w[iw];
                expected_dw[iw] += dy[iy] * x[ix];
            });
            let mut expected_db = vec![0.0; b.len()];
            (0..dy.len()).for_each(|i| expected_db[i / (oh * ow) % s.out_channels] += dy[i]);
            let nan = |len: usize| vec![f64::NAN; len];
            let (mut y, mut dx, mut dw, mut db) = (nan(dy.len()), nan(x.len()), nan(w.len()), nan(b.len()));
            forward::forward(isa, &s, &x, &w, Some(&b), &mut y);
            backward_input(isa, &s, &dy, &w, &mut dx);
            backward_weight(isa, &s, &s.image_parts(), &x, &dy, &mut dw);
            conv2d_backward_bias(&s, &s.image_parts(), &dy, &mut db);
            close("y", &s, &y, &expected);
            close("dx", &s, &dx, &expected_dx);
            close("dw", &s, &dw, &expected_dw);
            close("db", &s, &db, &expected_db);
        }
    }
}

/// All results in f32, as bits.
fn bits(isa: Isa, s: &Conv2dShape) -> Vec<u32> {
    let f = |len: usize, seed: u64| noise(len, seed).into_iter().map(|x| x as f32).collect::<Vec<_>>();
    let (x, w, dy) = (f(s.x_len(), 1), f(s.w_len(), 2), f(s.y_len(), 3));
    let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    let mut db = vec![0.0; s.out_channels];
    forward::forward(isa, s, &x, &w, None, &mut y);
    backward_input(isa, s, &dy, &w, &mut dx);
    backward_weight(isa, s, &s.image_parts(), &x, &dy, &mut dw);
    conv2d_backward_bias(s, &s.image_parts(), &dy, &mut db);
    [y, dx, dw, db].concat().into_iter().map(f32::to_bits).collect()
}

#[test]
fn bits_do_not_depend_on_threads_or_instruction_set() {
    for s in shapes() {
        set_num_threads(1);
        let expected = bits(detect(), &s);
        for threads in [2, 4] {
            set_num_threads(threads);
            assert!(bits(detect(), &s) == expected, "{threads} threads, {s:?}");
        }
        for isa in [Isa::Portable, Isa::Avx2].into_iter().filter(|&isa| isa <= detect()) {
            assert!(bits(isa, &s) == expected, "{isa:?}, {s:?}");
        }
    }
}

fn skipping_has_the_bits_of<T: Real>(isa: Isa) {
    let kernels = Kernels::<T>::get(isa);
    let s = Conv2dShape { batch: 5, in_channels: 20, out_channels: 9, size: (12, 11), ..Default::default() };
    for s in [
        Conv2dShape { kernel: (5, 3), ..s },
        Conv2dShape { kernel: (3, 3), padding: (1, 2), stride: (2, 1), dilation: (1, 2), ..s },
        Conv2dShape { groups: 2, in_channels: 70, out_channels: 6, kernel: (2, 2), size: (24, 22), ..s },
        Conv2dShape { in_channels: 80, out_channels: 140, kernel: (1, 2), size: (3, 4), ..s },
        Conv2dShape { batch: 1, kernel: (1, 1), ..s },
        Conv2dShape { batch: 1, in_channels: 3, out_channels: 2, size: (4, 5), kernel: (2, 3), ..s },
    ] {
        if !crate::affordable(s.y_len() * s.w_len() / s.out_channels / 80) {
            continue;
        }
        let f = |len: usize, seed: u64| noise(len, seed).into_iter().map(T::from_f64).collect::<Vec<_>>();
        let (x, w, mut dy) = (f(s.x_len(), 1), f(s.w_len(), 2), f(s.y_len(), 3));
        let mask = noise(dy.len(), 4);
        dy.iter_mut().zip(mask).filter(|(_, mask)| *mask < 0.6).for_each(|(dy, _)| *dy = T::ZERO);
        let same = |a: &[T], b: &[T]| {
            a.iter()
                .zip(b)
                .all(|(a, b)| a == b && a.to_f64().is_sign_positive() == b.to_f64().is_sign_positive())
        };
        let vectors = s.group_channels().0.min(64).div_ceil(kernels.lanes);
        if vectors > crate::gemm::combine::MOST_VECTORS {
            assert!(!skipping::pays(kernels, &s, &dy, &x));
            continue;
        }
        let (mut dx, mut dx2) = (vec![T::NAN; x.len()], vec![T::NAN; x.len()]);
        input::backward_input(kernels, &s, &dy, &w, &mut dx);
        skipping::backward_input(kernels, &s, &dy, &w, &mut dx2);
        assert!(same(&dx, &dx2), "dx, {isa:?}, {s:?}");
        let (mut dw, mut dw2) = (vec![T::NAN; w.len()], vec![T::NAN; w.len()]);
        weight::backward_weight(kernels, &s, &s.image_parts(), &x, &dy, &mut dw);
        skipping::backward_weight(kernels, &s, &s.image_parts(), &x, &dy, &mut dw2);
        assert!(same(&dw, &dw2), "dw, {isa:?}, {s:?}");
    }
}

#[test]
fn skipping_zeros_changes_no_bit() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= detect()) {
        skipping_has_the_bits_of::<f32>(isa);
        skipping_has_the_bits_of::<f64>(isa);
    }
}

#[test]
#[cfg_attr(miri, ignore = "it would take too long")]
fn zeros_are_skipped_if_they_are_many_and_the_rest_is_finite() {
    let s = Conv2dShape {
        batch: 2,
        in_channels: 32,
        out_channels: 8,
        size: (6, 6),
        kernel: (3, 3),
        ..Default::default()
    };
    let kernels = Kernels::<f32>::get(detect());
    let (mut x, mut dy) = (vec![1.0; s.x_len()], vec![1.0; s.y_len()]);
    assert!(!skipping::pays(kernels, &s, &dy, &x));
    dy[3..].fill(0.0);
    assert!(skipping::pays(kernels, &s, &dy, &x));
    x[7] = f32::INFINITY;
    assert!(!skipping::pays(kernels, &s, &dy, &x));
    let mut dw = vec![0.0; s.w_len()];
    conv2d_backward_weight(&s, &s.image_parts(), &x, &dy, &mut dw);
    // 0 times infinity, as in a dense sum.
    assert!(dw.iter().any(|dw| dw.is_nan()));
}

/// The order of the sum is part of the result: see `forward`.
#[test]
fn forward_adds_up_sixteen_channels_at_a_time() {
    let s = Conv2dShape {
        batch: if cfg!(miri) { 1 } else { 2 },
        in_channels: 40,
        out_channels: 3,
        size: (5, 6),
        kernel: (3, 2),
        ..Default::default()
    };
    let f = |len: usize, seed: u64| noise(len, seed).into_iter().map(|x| x as f32).collect::<Vec<_>>();
    let (x, w, b) = (f(s.x_len(), 1), f(s.w_len(), 2), f(s.out_channels, 3));
    let mut y = vec![0.0; s.y_len()];
    conv2d_forward(&s, &x, &w, Some(&b), &mut y);
    for (at, y) in y.iter().enumerate() {
        let (image, o, i, j) = (at / 45, at / 15 % 3, at / 5 % 3, at % 5);
        let sums = [0..16, 16..32, 32..40].map(|channels| {
            let mut sum = 0.0_f32;
            for (p, q) in (0..6).map(|t| (t / 2, t % 2)) {
                for c in channels.clone() {
                    sum = w[((o * 40 + c) * 3 + p) * 2 + q]
                        .mul_add(x[((image * 40 + c) * 5 + i + p) * 6 + j + q], sum);
                }
            }
            sum
        });
        assert_eq!(*y, sums[0] + b[o] + sums[1] + sums[2], "output {at}");
    }
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let first =
        Conv2dShape { batch: 256, out_channels: 64, size: (28, 28), kernel: (5, 5), ..Default::default() };
    let second = Conv2dShape { in_channels: 64, size: (12, 12), ..first };
    let padded = Conv2dShape { batch: 32, size: (28, 28), kernel: (3, 3), padding: (1, 1), ..second };
    for (name, s) in [("1-64-5 28x28", first), ("64-64-5 12x12", second), ("64-64-3p1 28x28 b32", padded)] {
        let (x, w, dy) = (vec![0.5f32; s.x_len()], vec![0.5f32; s.w_len()], vec![0.5f32; s.y_len()]);
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        let mut db = vec![0.0; s.out_channels];
        let flops = 2.0 * (s.y_len() * s.w_len() / s.out_channels) as f64;
        for threads in [1, 2] {
            set_num_threads(threads);
            let mut best = [f64::MAX; 4];
            for _ in 0..15 {
                let mut time = |i: usize, f: &mut dyn FnMut()| {
                    let start = std::time::Instant::now();
                    f();
                    best[i] = best[i].min(start.elapsed().as_secs_f64());
                };
                time(0, &mut || conv2d_forward(&s, &x, &w, None, &mut y));
                time(1, &mut || conv2d_backward_input(&s, &dy, &w, &mut dx));
                time(2, &mut || conv2d_backward_weight(&s, &s.image_parts(), &x, &dy, &mut dw));
                time(3, &mut || conv2d_backward_bias(&s, &s.image_parts(), &dy, &mut db));
            }
            let show = |i: usize| format!("{:7.2} ms {:6.1} GFLOP/s", best[i] * 1e3, flops / best[i] / 1e9);
            println!(
                "{name:20} {threads}  y {}  dx {}  dw {}  db {:.2} ms",
                show(0),
                show(1),
                show(2),
                best[3] * 1e3
            );
        }
    }
}
