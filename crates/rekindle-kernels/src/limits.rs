//! What this machine can do at most, measured: multiplications and additions, and reading of memory. Benchmarks compare with it.

use crate::dispatch::{Isa, isa, multiversion};
use crate::parallel;
use crate::real::Real;
use crate::reduce::all_finite;
use std::time::Instant;

/// Chains that run side by side, to hide the latency of each.
const CHAINS: usize = 10;
/// Steps of every chain in a task.
const STEPS: usize = 100_000;
/// Numbers that are read in a task.
const PIECE: usize = 1 << 20;
/// How often each is measured; the fastest counts.
const ROUNDS: usize = 7;

/// The most operations a second that [`num_threads`](parallel::num_threads) threads do in f32: fused multiply-adds in registers, which
/// count twice.
///
/// ```no_run
/// println!("{:.0} GFLOP/s", rekindle_kernels::limits::peak_flops() / 1e9);
/// ```
pub fn peak_flops() -> f64 {
    let (lanes, run): (usize, fn(f32) -> f32) = match isa() {
        Isa::Avx512 => (16, chains::<16>),
        _ => (8, chains::<8>),
    };
    let tasks = 4 * parallel::num_threads();
    let seconds = fastest(|| {
        parallel::for_each_task(tasks, |task| {
            assert!(run(task as f32).is_finite());
        });
    });
    (2 * tasks * STEPS * CHAINS * lanes) as f64 / seconds
}

/// How many bytes of main memory [`num_threads`](parallel::num_threads) threads read in a second.
pub fn read_bandwidth() -> f64 {
    let x = vec![1.0_f32; 64 * PIECE];
    let seconds = fastest(|| {
        parallel::for_each_task(x.len() / PIECE, |task| {
            assert!(all_finite(&x[task * PIECE..(task + 1) * PIECE]));
        });
    });
    size_of_val(&x[..]) as f64 / seconds
}

fn fastest(f: impl Fn()) -> f64 {
    let once = || {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn chains<const LANES: usize>(start: f32) -> f32 {
    let mut sums = [[start; LANES]; CHAINS];
    multiply_and_add(&mut sums, STEPS);
    sums.iter().flatten().sum()
}

multiversion! {
    fn multiply_and_add[T: Real, const LANES: usize](sums: &mut [[T; LANES]; CHAINS], steps: usize) {
        let (half, one) = (T::from_f64(0.5), T::ONE);
        let mut own = *sums;
        for _ in 0..steps {
            own.iter_mut().flatten().for_each(|sum| *sum = sum.mul_add(half, one));
        }
        *sums = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "a measurement")]
    fn the_limits_of_a_machine_are_positive_numbers() {
        for limit in [peak_flops(), read_bandwidth()] {
            assert!(limit.is_finite() && limit > 1e6, "{limit}");
        }
    }
}
