//! What layers do on a GPU beside computing their output.

use crate::gpu::device;
use rekindle_tensor::{BatchNormOptions, PoolOptions, Tensor, tensor};

/// Mean, variance and count after batches of two sizes, and the last output.
fn tracked(x: &Tensor, momentum: Option<f64>) -> [Tensor; 4] {
    let moved = |t: Tensor| t.to(x.device());
    let (mean, var) = (moved(tensor([1.0, 0.0, 2.0])), moved(tensor([1.0, 2.0, 3.0])));
    let batches = moved(tensor(0));
    let mut options = BatchNormOptions {
        running: Some((&mean, &var)),
        batches: Some(&batches),
        training: true,
        momentum,
        ..Default::default()
    };
    x.batch_norm(options);
    x.narrow(0, 1, 3).batch_norm(options);
    options.training = false;
    let y = x.batch_norm(options);
    [mean, var, batches, y]
}

#[test]
fn running_statistics_move_as_on_the_cpu() {
    let Some(gpu) = device() else { return };
    let x = (Tensor::arange(0.0, 360.0, 1.0) * 0.7).sin().reshape([4, 3, 5, 6]) + 3.0;
    for momentum in [Some(0.1), None] {
        for (here, there) in tracked(&x, momentum).iter().zip(tracked(&x.to(gpu), momentum)) {
            let pairs = here.to_f64_vec().into_iter().zip(there.to_f64_vec());
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5), "{here} and {there}");
        }
    }
}

#[test]
fn running_statistics_may_be_views() {
    let Some(gpu) = device() else { return };
    let both = Tensor::zeros([3, 2]).to(gpu);
    let (mean, var) = (both.select(1, 0), both.select(1, 1));
    let x = Tensor::ones([4, 3]).to(gpu);
    x.batch_norm(BatchNormOptions { running: Some((&mean, &var)), training: true, ..Default::default() });
    let expected = [0.1, 0.0, 0.1, 0.0, 0.1, 0.0];
    assert!(both.to_vec::<f32>().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{both}");
}

#[test]
fn statistics_of_a_large_mean_keep_a_small_variance() {
    let Some(gpu) = device() else { return };
    let pair = tensor([1000.0, 1001.0]).expand([30_000, 2]).reshape([2, 1, 100, 300]);
    let x = pair.to(gpu);
    let y = x.batch_norm(BatchNormOptions { training: true, ..Default::default() });
    assert!(y.to_vec::<f32>().iter().all(|y| (y.abs() - 1.0).abs() < 1e-3));
}

#[test]
fn the_first_maximum_of_a_window_gets_the_gradient_and_nan_wins() {
    let Some(gpu) = device() else { return };
    let x = tensor([[[1.0, 5.0, 5.0, 0.0], [5.0, 5.0, f64::NAN, 2.0]]]).to(gpu).requires_grad_(true);
    let (y, at) = x.max_pool2d_with_indices(PoolOptions::new([2, 2]));
    assert!(y.to_vec::<f32>()[0] == 5.0 && y.to_vec::<f32>()[1].is_nan());
    assert_eq!(at.to_vec::<i64>(), [1, 6]);
    y.sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn softmax_survives_infinities() {
    let Some(gpu) = device() else { return };
    let y =
        tensor([[1000.0, 1000.0, -1000.0], [0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]]).to(gpu).softmax(1);
    assert_eq!(y.to_vec::<f32>(), [0.5, 0.5, 0.0, 1.0, 0.0, 0.0]);
}
