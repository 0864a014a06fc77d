//! Values on a GPU where operations are easily wrong: NaN, ties, integers, truth values, repeated and wrong indices.

use super::gpu::device;
use rekindle_tensor::{DType, Tensor, check, random, tensor};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[test]
fn nan_wins_and_the_first_of_equals_is_chosen() {
    let Some(gpu) = device() else { return };
    let x = tensor([[1.0, 3.0, 3.0], [2.0, NAN, NAN], [-0.0, 0.0, -INF]]).to(gpu);
    assert_eq!(x.argmax_dim(1, false).to_vec::<i64>(), [1, 1, 0]);
    assert_eq!(x.argmin_dim(1, false).to_vec::<i64>(), [0, 1, 2]);
    let (most, least) = (x.amax(1, false).to_vec::<f32>(), x.amin(1, false).to_vec::<f32>());
    assert!(most[1].is_nan() && least[1].is_nan());
    assert_eq!((most[0], most[2], least[2]), (3.0, 0.0, f32::NEG_INFINITY));
    assert_eq!(tensor([-INF; 300]).to(gpu).max().item::<f64>(), -INF);
    assert!(x.maximum(0.0).to_vec::<f32>()[4].is_nan() && x.clamp(-1.0, 1.0).to_vec::<f32>()[4].is_nan());
}

#[test]
fn comparisons_know_nan() {
    let Some(gpu) = device() else { return };
    let x = tensor([1.0, NAN, INF]).to(gpu);
    assert_eq!(x.eq(&x).to_vec::<bool>(), [true, false, true]);
    assert_eq!(x.ne(&x).to_vec::<bool>(), [false, true, false]);
    assert_eq!(x.le(NAN).to_vec::<bool>(), [false; 3]);
    assert_eq!(x.isnan().to_vec::<bool>(), [false, true, false]);
    assert_eq!(x.isinf().to_vec::<bool>(), [false, false, true]);
    assert_eq!(tensor([3, 4]).to(gpu).isfinite().to_vec::<bool>(), [true; 2]);
    let many = Tensor::ones([20_000]).to(gpu);
    assert!(many.all_finite() && Tensor::zeros([0]).to(gpu).all_finite());
    for bad in [NAN, INF, -INF] {
        many.narrow(0, 17_000, 1).fill_(bad);
        assert!(!many.all_finite(), "{bad}");
    }
}

#[test]
fn ties_share_the_gradient() {
    let Some(gpu) = device() else { return };
    let x = tensor([[1.0, 3.0, 3.0], [NAN, 2.0, NAN]]).to(gpu).requires_grad_(true);
    x.amax(1, false).sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 0.5, 0.5, 0.5, 0.0, 0.5]);
    let (a, b) = (tensor([1.0, 2.0, NAN]).to(gpu), tensor([1.0, 3.0, 0.0]).to(gpu));
    let (a, b) = (a.requires_grad_(true), b.requires_grad_(true));
    a.maximum(&b).sum().backward();
    assert_eq!(a.grad().unwrap().to_vec::<f32>(), [0.5, 0.0, 1.0]);
    assert_eq!(b.grad().unwrap().to_vec::<f32>(), [0.5, 1.0, 1.0]);
}

#[test]
fn sorting_is_stable_at_any_length_with_nan_at_the_end() {
    let Some(gpu) = device() else { return };
    let x = tensor([2.0, NAN, 0.0, -0.0, -INF, NAN, INF]);
    for n in [1, 2, 255, 1024, 1025, 2500] {
        // Many equals, so that only a stable order is the CPU's.
        let long = Tensor::arange(0, 3 * n, 1).reshape([3, -1]);
        let long = &long * 7919 - (&long * 7919 / 13.0).floor().long() * 13;
        for x in [long.clone(), long.float().reciprocal(), long.gt(5), x.clone()] {
            for descending in [false, true] {
                let expected = x.argsort(-1, descending);
                assert!(
                    x.to(gpu).argsort(-1, descending).cpu().equal(&expected),
                    "{n} {} {descending}",
                    x.dtype()
                );
            }
        }
    }
    let (values, at) = x.to(gpu).topk(3, 0, false);
    assert_eq!(
        (values.to_vec::<f32>(), at.to_vec::<i64>()),
        (vec![f32::NEG_INFINITY, 0.0, -0.0], vec![4, 2, 3])
    );
    assert!(x.to(gpu).median().item::<f32>().is_nan());
}

#[test]
fn integers_stay_integers() {
    let Some(gpu) = device() else { return };
    let x = tensor([-2, 3, 0]).to(gpu);
    let same = |y: Tensor, expected: &[i64]| assert_eq!(y.to_vec::<i64>(), expected);
    same(x.pow(3), &[-8, 27, 0]);
    same(x.abs(), &[2, 3, 0]);
    same(x.sign(), &[-1, 1, 0]);
    same(-&x, &[2, -3, 0]);
    same(x.clamp(-1, 2), &[-1, 2, 0]);
    same(x.maximum(1), &[1, 3, 1]);
    same(x.cumsum(0), &[-2, 1, 1]);
    same(x.square().round(), &[4, 9, 0]);
    same(x.narrow(0, 0, 2).prod(), &[-6]);
    same(x.max(), &[3]);
    same(tensor([2, 0]).to(gpu).one_hot(3), &[0, 0, 1, 1, 0, 0]);
    assert_eq!((&x / 2).to_vec::<f32>(), [-1.0, 1.5, 0.0]);
    // As many as no float counts.
    same((Tensor::ones([3]).long().to(gpu) * 16_777_217).cumsum(0), &[16_777_217, 33_554_434, 50_331_651]);
}

#[test]
fn truth_values_are_reduced_and_chosen() {
    let Some(gpu) = device() else { return };
    let x = tensor([[true, false], [true, true]]).to(gpu);
    assert_eq!(x.all_dim(1, false).to_vec::<bool>(), [false, true]);
    assert_eq!(x.any_dim(0, false).to_vec::<bool>(), [true, true]);
    assert!(!x.all().item::<bool>() && x.max().item::<bool>() && !x.min().item::<bool>());
    assert!(
        Tensor::zeros([0]).to(gpu).all().item::<bool>() && !Tensor::zeros([0]).to(gpu).any().item::<bool>()
    );
    assert_eq!((x.sum().item::<i64>(), x.argmin().item::<i64>()), (3, 1));
    assert_eq!((!&x).nonzero().to_vec::<i64>(), [0, 1]);
    assert_eq!((&x ^ &x.t()).to_vec::<bool>(), [false, true, true, false]);
    assert_eq!(x.lt(true).to_vec::<bool>(), [false, true, false, false]);
    let y = tensor([[1, 2], [3, 4]]).to(gpu);
    assert_eq!(y.masked_select(&x).to_vec::<i64>(), [1, 3, 4]);
    assert_eq!(y.index_mask(&x.select(0, 0)).to_vec::<i64>(), [1, 2]);
    assert_eq!(y.flip([0, 1]).to_vec::<i64>(), [4, 3, 2, 1]);
    assert_eq!(Tensor::where_(&x, &y, -1).to_vec::<i64>(), [1, -1, 3, 4]);
}

#[test]
fn sources_of_one_place_add_up_in_the_order_of_the_cpu() {
    let Some(gpu) = device() else { return };
    let n = 5000;
    let source = (Tensor::arange(0.0, n as f64, 1.0) * 0.37).sin();
    let index = (&source * 3.0).long() + 3;
    let run = |x: &Tensor, i: &Tensor, s: &Tensor| x.scatter_add(0, i, s);
    let expected = run(&Tensor::ones([7]), &index, &source);
    let there = [Tensor::ones([7]), index.clone(), source.clone()].map(|t| t.to(gpu));
    assert!(run(&there[0], &there[1], &there[2]).bitwise_eq(&expected));
    assert!(there[0].index_add(0, &there[1], &there[2]).bitwise_eq(&expected));
    let last = there[0].scatter(0, &there[1], &there[2]);
    assert!(last.bitwise_eq(&Tensor::ones([7]).scatter(0, &index, &source)));
}

#[test]
fn an_index_out_of_range_harms_nobody() {
    let Some(gpu) = device() else { return };
    let (x, index) = (tensor([1.0, 2.0]).to(gpu), tensor([1, 2, -1]).to(gpu));
    for y in [x.index_select(0, &index), x.gather(0, &index)] {
        let y = y.to_vec::<f32>();
        assert!(y[0] == 2.0 && y[1].is_nan() && y[2].is_nan(), "{y:?}");
    }
    assert_eq!(x.long().index_select(0, &index).to_vec::<i64>(), [2, 0, 0]);
    assert_eq!(x.scatter_add(0, &index, &Tensor::ones([3]).to(gpu)).to_vec::<f32>(), [1.0, 3.0]);
    assert_eq!(x.scatter(0, &index, 7.0).to_vec::<f32>(), [1.0, 7.0]);
}

#[test]
fn what_is_made_like_a_tensor_is_on_its_device() {
    let Some(gpu) = device() else { return };
    let x = Tensor::zeros([2, 3]).to(gpu);
    let seeded = |f: &dyn Fn() -> Tensor| {
        random::manual_seed(3);
        f()
    };
    let expected = seeded(&|| Tensor::rand([2, 3]));
    let there = [seeded(&|| Tensor::rand_like(&x)), seeded(&|| x.uniform_(0.0, 1.0).clone())];
    assert!(there.iter().all(|y| y.device() == gpu && y.bitwise_eq(&expected)));
    assert_eq!(Tensor::ones_like(&x).device(), gpu);
    assert_eq!(x.eq(0.0).device(), gpu);
}

#[test]
fn types_without_an_operation_are_refused_as_on_the_cpu() {
    let Some(gpu) = device() else { return };
    let (x, i) = (tensor([true]), tensor([0]));
    for (x, i) in [(x.clone(), i.clone()), (x.to(gpu), i.to(gpu))] {
        let say = |f: &dyn Fn() -> Tensor| check(f).unwrap_err();
        assert_eq!(say(&|| x.sign()), "sign: needs numbers, got bool; convert with .long() or .float()");
        assert!(say(&|| x.floor()).starts_with("floor: needs numbers"));
        assert!(say(&|| i.pow(&i)).starts_with("pow: needs a floating tensor, got i64"));
        assert!(say(&|| x.scatter_add(0, &i, &x)).starts_with("scatter_add: needs numbers"));
        assert!(say(&|| x.index_add(0, &i, &x)).starts_with("index_add: needs numbers"));
        assert_eq!(x.to(DType::I64).prod().item::<i64>(), 1);
    }
}
