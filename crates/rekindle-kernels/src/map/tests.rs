//! Every map against the plain loop, for lengths around the borders of vectors, chunks and the parallel threshold.

use super::*;
use crate::dispatch::{Isa, set_isa};
use crate::parallel::set_num_threads;

const LENGTHS: [usize; 9] =
    [0, 1, 7, 33, 1000, PARALLEL_FROM - 1, PARALLEL_FROM, PARALLEL_FROM + 17, 100_003];

/// Calls `test` with each instruction set and number of threads, and two sequences of numbers.
fn everywhere(test: impl Fn(&dyn Fn(usize, u32) -> Vec<f32>)) {
    for (isa, threads) in [(Isa::Portable, 1), (Isa::Avx2, 2), (Isa::Avx512, 4)] {
        set_isa(isa);
        set_num_threads(threads);
        test(&|n, seed| crate::noise(n, seed, 4.0));
    }
}

#[test]
fn maps_out_of_place_agree_with_the_loop() {
    everywhere(|data| {
        for n in LENGTHS.into_iter().filter(|&n| crate::affordable(3 * n)) {
            let (a, b, c) = (data(n, 1), data(n, 2), data(n, 3));
            let mut y = vec![f32::NAN; n];
            unary(&a, &mut y, |a| a * a - 1.0);
            assert!((0..n).all(|i| y[i] == a[i] * a[i] - 1.0));
            binary(&a, &b, &mut y, |a, b| a.mul_add(b, 1.0));
            assert!((0..n).all(|i| y[i] == a[i].mul_add(b[i], 1.0)));
            ternary(&a, &b, &c, &mut y, |a, b, c| if a > 0.0 { b } else { c });
            assert!((0..n).all(|i| y[i] == if a[i] > 0.0 { b[i] } else { c[i] }));
            let (whole, three) = (Source::Whole(&a[..]), Source::Repeat(&[3.0f32][..]));
            binary_broadcast(whole, three, &mut y, |a, s| a - s);
            assert!((0..n).all(|i| y[i] == a[i] - 3.0));
            binary_broadcast(three, whole, &mut y, |s, a| s - a);
            assert!((0..n).all(|i| y[i] == 3.0 - a[i]));
            let mut less = vec![false; n];
            binary(&a, &b, &mut less, |a, b| a < b);
            assert!((0..n).all(|i| less[i] == (a[i] < b[i])));
        }
    });
}

#[test]
fn maps_in_place_agree_with_the_loop() {
    everywhere(|data| {
        for n in LENGTHS.into_iter().filter(|&n| crate::affordable(3 * n)) {
            let (x, a, b) = (data(n, 1), data(n, 2), data(n, 3));
            let mut y = x.clone();
            in_place1(&mut y, |y| y * y);
            assert!((0..n).all(|i| y[i] == x[i] * x[i]));
            y.clone_from(&x);
            in_place2(&mut y, &a, |y, a| a.mul_add(-0.1, y));
            assert!((0..n).all(|i| y[i] == a[i].mul_add(-0.1, x[i])));
            y.clone_from(&x);
            in_place3(&mut y, &a, &b, |y, a, b| y + a * b);
            assert!((0..n).all(|i| y[i] == x[i] + a[i] * b[i]));
        }
    });
}

#[test]
fn optimiser_maps_agree_with_the_loop() {
    everywhere(|data| {
        for n in LENGTHS.into_iter().filter(|&n| crate::affordable(3 * n)) {
            let g = data(n, 5);
            let start = [data(n, 1), data(n, 2), data(n, 3), data(n, 4)];
            let [mut p, mut m, ..] = start.clone();
            zip_mut2(&mut p, &mut m, &g, |p, m, g| (p - m, m + g));
            assert!((0..n).all(|i| (p[i], m[i]) == (start[0][i] - start[1][i], start[1][i] + g[i])));
            let [mut p, mut m, mut v, _] = start.clone();
            zip_mut3(&mut p, &mut m, &mut v, &g, |p, m, v, g| (p - m / v, m + g, v + g * g));
            assert!((0..n).all(|i| p[i] == start[0][i] - start[1][i] / start[2][i]));
            assert!((0..n).all(|i| m[i] == start[1][i] + g[i] && v[i] == start[2][i] + g[i] * g[i]));
            let [mut p, mut m, mut v, mut w] = start.clone();
            zip_mut4(&mut p, &mut m, &mut v, &mut w, &g, |[p, m, v, w], g| [m, v, w + p, g]);
            assert!(m == start[2] && w == g && p == start[1]);
            assert!((0..n).all(|i| v[i] == start[3][i] + start[0][i]));
        }
    });
}

#[test]
fn rows_are_broadcast() {
    everywhere(|data| {
        let shapes = [(0, 3), (1, 1), (5, 7), (3, 100), (4001, 10), (2, 50_000), (50_000, 1), (300, 333)];
        for (m, n) in shapes.into_iter().filter(|(m, n)| crate::affordable(m * n)) {
            let (a, row) = (data(m * n, 1), data(n, 2));
            let mut y = vec![f32::NAN; m * n];
            binary_broadcast(Source::Whole(&a), Source::Repeat(&row), &mut y, |a, b| a - b);
            assert!((0..m * n).all(|i| y[i] == a[i] - row[i % n]), "row on the right, {m} x {n}");
            binary_broadcast(Source::Repeat(&row), Source::Whole(&a), &mut y, |b, a| b - a);
            assert!((0..m * n).all(|i| y[i] == row[i % n] - a[i]), "row on the left, {m} x {n}");
        }
    });
}

#[test]
fn rows_and_columns_are_read_in_place() {
    everywhere(|data| {
        let shapes =
            [(0, 3), (3, 0), (1, 1), (5, 7), (3, 100), (4001, 10), (2, 50_000), (50_000, 1), (300, 333)];
        for (m, n) in shapes.into_iter().filter(|(m, n)| crate::affordable(m * n)) {
            let (a, row, column) = (data(m * n, 1), data(n, 2), data(m, 3));
            let mut y = vec![f32::NAN; m * n];
            binary_row(&a, &row, &mut y, |a, b| a - b);
            assert!((0..m * n).all(|i| y[i] == a[i] - row[i % n]), "row, {m} x {n}");
            binary_column(&a, &column, &mut y, |a, b| a - b);
            assert!((0..m * n).all(|i| y[i] == a[i] - column[i / n]), "column, {m} x {n}");
            y.clone_from(&a);
            in_place_row(&mut y, &row, |y, b| y + b);
            assert!((0..m * n).all(|i| y[i] == a[i] + row[i % n]), "in place, {m} x {n}");
        }
    });
}

#[test]
#[should_panic(expected = "map: slice lengths differ: 3 and 2")]
fn lengths_must_agree() {
    binary(&[1.0, 2.0], &[1.0, 2.0, 3.0], &mut [0.0; 2], |a: f64, b: f64| a + b);
}

#[test]
#[should_panic(expected = "map: 5 elements are not whole rows of 2")]
fn rows_must_be_whole() {
    let (a, row) = ([0.0; 5], [1.0, 2.0]);
    binary_broadcast(Source::Whole(&a), Source::Repeat(&row), &mut [0.0; 5], |a: f64, b: f64| a + b);
}
