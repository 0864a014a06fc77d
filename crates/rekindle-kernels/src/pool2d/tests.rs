use super::*;
use crate::parallel::set_num_threads;

/// 5 by 7 values with ties: (1, 2, .., 35) mod 11 - 5.
fn plane() -> Vec<f64> {
    (1..=35).map(|i| f64::from(i % 11 - 5)).collect()
}

fn shape(
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    ceil_mode: bool,
) -> Pool2dShape {
    Pool2dShape { size: (5, 7), kernel, stride, padding, ceil_mode, ..Default::default() }
}

fn max(s: &Pool2dShape, x: &[f64]) -> (Vec<f64>, Vec<i64>) {
    let len = s.planes * s.out_plane();
    let (mut y, mut argmax) = (vec![f64::NAN; len], vec![-1; len]);
    max_forward(s, x, &mut y, Some(&mut argmax));
    let mut alone = vec![f64::NAN; len];
    max_forward(s, x, &mut alone, None);
    assert!(y.iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits()), "{y:?} {alone:?}");
    (y, argmax)
}

fn avg(s: &Pool2dShape, count_include_pad: bool, x: &[f64]) -> Vec<f64> {
    let mut y = vec![f64::NAN; s.planes * s.out_plane()];
    avg_forward(s, count_include_pad, x, &mut y);
    y
}

#[test]
fn maxima_and_indices_are_those_of_pytorch() {
    let s = shape((3, 2), (2, 3), (1, 1), true);
    assert_eq!(max(&s, &plane()).1, [7, 9, 6, 7, 9, 20, 28, 31, 27]);
    let s = Pool2dShape { dilation: (2, 2), ..s };
    assert_eq!(max(&s, &plane()), (vec![4.0, 5.0, 0.0, 4.0, 5.0, 0.0], vec![8, 9, 26, 8, 9, 26]));
    let s = shape((2, 2), (2, 2), (0, 0), true);
    assert_eq!(max(&s, &plane()).1, [8, 9, 5, 6, 15, 17, 19, 20, 29, 31, 33, 34]);
    let s = Pool2dShape { dilation: (2, 2), ..s };
    assert_eq!(max(&s, &plane()).1, [16, 18, 20, 30, 30, 20]);
    let s = shape((2, 3), (2, 2), (0, 1), false);
    assert_eq!(max(&s, &plane()).1, [8, 9, 5, 6, 15, 17, 19, 20]);
    let s = Pool2dShape { dilation: (2, 2), ..shape((3, 3), (1, 1), (1, 1), false) };
    assert_eq!(max(&s, &plane()).1, [8, 9, 8, 9, 26, 31, 30, 31, 20, 31, 8, 9, 8, 9, 26]);
}

#[test]
fn averages_are_those_of_pytorch() {
    let s = shape((3, 2), (2, 3), (1, 1), true);
    let third = 1.0 / 3.0;
    assert_eq!(
        avg(&s, true, &plane()),
        [-0.5 * third, -0.5, -third, -0.5, -third, 5.0 / 6.0, -0.5, 4.0 / 6.0, -1.0]
    );
    assert_eq!(avg(&s, false, &plane()), [-0.5, -0.75, -0.5, -1.0, -third, 5.0 / 6.0, -1.5, 1.0, -1.5]);
    let s = shape((2, 2), (2, 2), (0, 0), true);
    let expected = [0.0, -0.75, -1.5, 0.0, -2.5, -0.5, 1.5, 3.0, 2.5, 4.5, -4.5, -3.0];
    assert_eq!(avg(&s, true, &plane()), expected);
    let mut y = [0.0; 12];
    adaptive_avg_forward(1, (5, 7), (3, 4), &plane(), &mut y);
    let expected =
        [0.0, -third, -2.0, -0.5, -0.5, -2.0 / 9.0, -4.0 / 6.0, 5.0 / 6.0, -1.0, 0.5, -7.0 / 6.0, -1.5];
    assert_eq!(y, expected);
}

/// Shapes whose windows overlap, leave gaps or touch the border, and the one with a kernel of its own.
fn shapes() -> Vec<Pool2dShape> {
    let (side, planes) = if cfg!(miri) { (8, 2) } else { (24, 300) };
    let s = Pool2dShape { planes: 3, ..shape((2, 2), (2, 2), (0, 0), false) };
    vec![
        s,
        Pool2dShape { planes: 0, ..s },
        Pool2dShape { size: (side, side), planes, ..s },
        Pool2dShape { size: (1, 1), ..s },
        Pool2dShape { size: (1, 9), kernel: (1, 3), stride: (1, 2), padding: (0, 1), ..s },
        Pool2dShape { ceil_mode: true, ..s },
        Pool2dShape { kernel: (3, 3), stride: (1, 1), padding: (1, 1), ..s },
        Pool2dShape { kernel: (2, 3), stride: (3, 1), padding: (1, 0), ceil_mode: true, ..s },
        Pool2dShape { kernel: (5, 7), stride: (5, 7), ..s },
    ]
}

fn values(len: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919) % 101) as f64 - 50.0).collect()
}

/// The slow twin: the first greatest element of every window.
fn naive_max(s: &Pool2dShape, x: &[f64]) -> Vec<(f64, i64)> {
    let ((h, w), (oh, ow)) = (s.size, s.out_size());
    let window = |o: usize| {
        let (plane, i, j) = (o / (oh * ow), o / ow % oh, o % ow);
        let taps = (0..s.kernel.0 * s.kernel.1).filter_map(move |t| {
            let r = (i * s.stride.0 + t / s.kernel.1 * s.dilation.0).checked_sub(s.padding.0)?;
            let c = (j * s.stride.1 + t % s.kernel.1 * s.dilation.1).checked_sub(s.padding.1)?;
            (r < h && c < w).then(|| (x[plane * h * w + r * w + c], (r * w + c) as i64))
        });
        taps.fold((f64::NEG_INFINITY, -1), |best, x| if x.0 > best.0 || x.0.is_nan() { x } else { best })
    };
    (0..s.planes * oh * ow).map(window).collect()
}

#[test]
fn maxima_agree_with_the_plain_search_and_gradients_go_there() {
    for s in shapes() {
        let x = values(s.planes * s.in_plane());
        let (y, argmax) = max(&s, &x);
        let expected = naive_max(&s, &x);
        assert_eq!(y.iter().copied().zip(argmax.iter().copied()).collect::<Vec<_>>(), expected, "{s:?}");
        let dy = values(y.len());
        let mut dx = vec![f64::NAN; x.len()];
        max_backward(&s, &x, &dy, &mut dx);
        let mut expected_dx = vec![0.0; x.len()];
        for (i, (dy, at)) in dy.iter().zip(&argmax).enumerate() {
            expected_dx[i / s.out_plane() * s.in_plane() + *at as usize] += dy;
        }
        assert_eq!(dx, expected_dx, "{s:?}");
    }
}

#[test]
fn nan_wins_and_minus_infinity_has_an_index() {
    let s = Pool2dShape { size: (2, 4), ..shape((2, 2), (2, 2), (0, 0), false) };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for dilation in [(1, 1), (1, 2)] {
        let s = Pool2dShape { dilation, stride: (2, 1), ..s };
        let (y, argmax) = max(&s, &[-inf, nan, inf, 1.0, -inf, -inf, 2.0, nan]);
        assert!(y[1].is_nan(), "{y:?}");
        assert!(argmax.iter().all(|&i| (0..8).contains(&i)));
    }
    let (y, argmax) = max(&s, &[-inf, -inf, inf, 1.0, -inf, -inf, nan, 2.0]);
    assert!(y[0] == -inf && argmax[0] == 0 && y[1].is_nan() && argmax[1] == 6);
}

/// Averages are linear, so their gradient is the adjoint: the products with any x and dy agree.
#[test]
fn gradients_of_averages_are_adjoint() {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for s in shapes() {
        let x = values(s.planes * s.in_plane());
        for count_include_pad in [true, false] {
            let y = avg(&s, count_include_pad, &x);
            let dy: Vec<f64> = values(y.len()).iter().map(|v| v * 0.5 + 3.0).collect();
            let mut dx = vec![f64::NAN; x.len()];
            avg_backward(&s, count_include_pad, &dy, &mut dx);
            assert!((dot(&x, &dx) - dot(&y, &dy)).abs() < 1e-6, "{s:?}");
        }
        for out in [(1, 1), (2, 3), s.size, (s.size.0 + 2, 3)] {
            let (mut y, mut dx) = (vec![f64::NAN; s.planes * out.0 * out.1], vec![f64::NAN; x.len()]);
            adaptive_avg_forward(s.planes, s.size, out, &x, &mut y);
            let dy = values(y.len());
            adaptive_avg_backward(s.planes, s.size, out, &dy, &mut dx);
            assert!((dot(&x, &dx) - dot(&y, &dy)).abs() < 1e-6, "{s:?} to {out:?}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let planes = if cfg!(miri) { 5 } else { 1000 };
    let s = Pool2dShape { size: (9, 8), planes, padding: (1, 1), ..shape((3, 3), (1, 2), (0, 0), true) };
    let x: Vec<f64> = values(s.planes * s.in_plane()).iter().map(|v| v / 7.0).collect();
    let run = || {
        let (y, _) = max(&s, &x);
        let mut dx = vec![0.0; x.len()];
        max_backward(&s, &x, &y, &mut dx);
        let mean = avg(&s, true, &x);
        [y, dx, mean].concat().into_iter().map(f64::to_bits).collect::<Vec<_>>()
    };
    set_num_threads(1);
    let expected = run();
    for threads in [2, 4] {
        set_num_threads(threads);
        assert!(run() == expected, "{threads} threads");
    }
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    for size in [(24, 24), (8, 8)] {
        let s = Pool2dShape { planes: 256 * 64, size, ..shape((2, 2), (2, 2), (0, 0), false) };
        let (x, mut dx) = (vec![0.5f32; s.planes * s.in_plane()], vec![0.0; s.planes * s.in_plane()]);
        let mut y = vec![0.0; s.planes * s.out_plane()];
        let mut best = [f64::MAX; 4];
        for _ in 0..10 {
            let mut time = |i: usize, f: &mut dyn FnMut()| {
                let start = std::time::Instant::now();
                f();
                best[i] = best[i].min(start.elapsed().as_secs_f64() * 1e3);
            };
            time(0, &mut || max_forward(&s, &x, &mut y, None));
            time(1, &mut || max_backward(&s, &x, &y, &mut dx));
            time(2, &mut || avg_forward(&s, true, &x, &mut y));
            time(3, &mut || avg_backward(&s, true, &y, &mut dx));
        }
        println!("{size:?} max {:.2} {:.2} avg {:.2} {:.2} ms", best[0], best[1], best[2], best[3]);
    }
}
