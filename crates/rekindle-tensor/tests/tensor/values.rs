//! Values at awkward places, as PyTorch gives them.

use rekindle_tensor::{DType, Tensor, tensor};

fn slope(f: impl Fn(&Tensor) -> Tensor, at: f64) -> f32 {
    let x = tensor([at]).requires_grad_(true);
    f(&x).sum().backward();
    x.grad().unwrap().item()
}

#[test]
fn running_sums_of_f32_are_kept_in_double_precision() {
    let sums = Tensor::full([100_000], 0.1).cumsum(0);
    assert_eq!(sums.select(0, -1).item::<f32>(), 10_000.0);
}

#[test]
fn a_missing_bound_passes_the_gradient_of_infinities() {
    assert_eq!(slope(|x| x.clamp_min(0.0), f64::INFINITY), 1.0);
    assert_eq!(slope(|x| x.clamp_max(0.0), f64::NEG_INFINITY), 1.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), f64::INFINITY), 0.0);
}

#[test]
fn the_derivative_of_abs_at_nan_is_zero() {
    assert_eq!(slope(|x| x.abs(), f64::NAN), 0.0);
}

#[test]
fn fractional_ranges_have_pytorchs_roundings() {
    let x = Tensor::arange(0.0, 10.0, 0.1).to_vec::<f32>();
    assert_eq!((x[8], x[9], x[18], x[99]), (0.8, 0.90000004, 1.8000001, 9.9));
}

#[test]
fn integers_wrap_around() {
    let (most, least) = (tensor([i64::MAX]), tensor([i64::MIN]));
    assert_eq!((&most + 1).item::<i64>(), i64::MIN);
    assert_eq!((&least - 1).item::<i64>(), i64::MAX);
    assert_eq!((&most * 2).item::<i64>(), -2);
    assert_eq!((-&least).item::<i64>(), i64::MIN);
    assert_eq!(least.abs().item::<i64>(), i64::MIN);
    assert_eq!(most.square().item::<i64>(), 1);
    assert_eq!(tensor([i64::MAX, 1]).cumsum(0).to_vec::<i64>(), [i64::MAX, i64::MIN]);
    assert_eq!(most.index_add(0, &tensor([0]), &tensor([1])).item::<i64>(), i64::MIN);
}

#[test]
fn filling_keeps_the_type() {
    let x = tensor([1, 2]).masked_fill(&tensor([true, false]), 1.5);
    assert_eq!((x.dtype(), x.to_vec::<i64>()), (DType::I64, vec![1, 2]));
}

#[test]
fn an_update_in_place_may_round_but_not_change_the_kind() {
    let x = tensor([1.0, 2.0]);
    x.add_(tensor([0.5, 0.5]).double());
    assert_eq!((x.dtype(), x.to_vec::<f32>()), (DType::F32, vec![1.5, 2.5]));
    let n = tensor([3, -3]);
    n.mul_(2);
    assert_eq!(n.to_vec::<i64>(), [6, -6]);
}

#[test]
fn one_element_per_group_is_its_own_mean() {
    let x = tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0]]);
    assert_eq!(x.group_norm(4, None, None, 1e-5).to_vec::<f32>(), [0.0; 8]);
}

#[test]
fn contractions_over_nothing_are_zero() {
    let (x, w) = (Tensor::zeros([2, 3, 0]), Tensor::zeros([5, 0]));
    assert_eq!(x.matmul(&w.t()).to_vec::<f32>(), [0.0; 30]);
    assert_eq!(x.linear(&w, Some(&Tensor::ones([5]))).to_vec::<f32>(), [1.0; 30]);
}

#[test]
fn the_logarithm_of_an_empty_sum_is_minus_infinity() {
    assert_eq!(Tensor::zeros([2, 0]).logsumexp(1, false).to_vec::<f32>(), [f32::NEG_INFINITY; 2]);
}

#[test]
fn types_are_promoted_as_by_pytorch() {
    assert_eq!(tensor([4, 9]).sqrt().to_vec::<f32>(), [2.0, 3.0]);
    assert_eq!(tensor([true]).exp().dtype(), DType::F32);
    assert_eq!(Tensor::cat(&[tensor([1, 2]), tensor([0.5])], 0).to_vec::<f32>(), [1.0, 2.0, 0.5]);
    assert_eq!(Tensor::stack(&[tensor([1.0]), tensor([0.5]).double()], 0).dtype(), DType::F64);
}

#[test]
fn the_variance_of_f32_is_computed_in_double_precision() {
    let x = tensor([1e4, 1e4 + 1.0, 1e4 + 2.0]);
    assert_eq!((x.var().item::<f32>(), x.std().item::<f32>()), (1.0, 1.0));
    assert_eq!(slope(|x| x.var_dim(0, 0, false), 3.0), 0.0);
}

#[test]
fn statistics_stay_when_the_layer_does_not_fit() {
    let (mean, var, wrong) = (tensor([0.0]), tensor([1.0]), tensor([1.0, 1.0]));
    let options = rekindle_tensor::BatchNormOptions {
        running: Some((&mean, &var)),
        weight: Some(&wrong),
        training: true,
        ..Default::default()
    };
    assert!(rekindle_tensor::check(|| tensor([[1.0], [3.0]]).batch_norm(options)).is_err());
    assert_eq!((mean.item::<f32>(), var.item::<f32>()), (0.0, 1.0));
}

#[test]
fn views_of_turned_tensors_are_written_through() {
    let x = Tensor::zeros([2, 3]);
    x.t().unsqueeze(0).select(1, 1).fill_(5);
    assert_eq!(x.to_vec::<f32>(), [0.0, 5.0, 0.0, 0.0, 5.0, 0.0]);
}
