//! What PyTorch means by gradients: accumulation, graphs that are freed, tensors that are left out.

use rekindle_tensor::testing::gradcheck;
use rekindle_tensor::{
    Context, Grads, Keeps, Meta, Op, Output, Tensor, apply, check, enable_grad, grad_enabled, grads, no_grad,
    tensor,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn leaf(values: [f64; 2]) -> Tensor {
    tensor(values).requires_grad_(true)
}

fn grad(x: &Tensor) -> Vec<f32> {
    x.grad().expect("a gradient").to_vec::<f32>()
}

#[test]
fn gradients_accumulate_until_they_are_zeroed() {
    let x = leaf([1.0, 2.0]);
    (&x * &x).sum().backward();
    (&x * 3.0).sum().backward();
    assert_eq!(grad(&x), [5.0, 7.0]);
    x.zero_grad();
    assert!(x.grad().is_none());
}

#[test]
fn a_tensor_used_twice_gets_the_sum_of_both_paths() {
    let x = leaf([2.0, 3.0]);
    let y = &x * &x;
    (&y * &y + &y).sum().backward();
    assert_eq!(grad(&x), [4.0 * 8.0 + 4.0, 4.0 * 27.0 + 6.0]);
}

#[test]
fn a_retained_graph_can_be_walked_again() {
    let x = leaf([1.0, 2.0]);
    let loss = (&x * &x).sum();
    loss.backward_retain_graph();
    loss.backward();
    assert_eq!(grad(&x), [4.0, 8.0]);
    assert!(check(|| loss.backward()).unwrap_err().starts_with("backward: the graph below mul was freed"));
}

#[test]
fn a_second_backward_points_at_the_users_line() {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    use std::sync::Mutex;
    let (seen, me, old) = (Arc::new(Mutex::new(None)), std::thread::current().id(), take_hook());
    let place = seen.clone();
    set_hook(Box::new(move |info| {
        // Other tests may panic at the same time.
        if std::thread::current().id() == me {
            *place.lock().unwrap() = info.location().map(|l| (l.file().to_string(), l.line()));
        }
    }));
    let x = leaf([1.0, 2.0]);
    let loss = (&x * &x).sum();
    loss.backward();
    let (result, line) = (catch_unwind(AssertUnwindSafe(|| loss.backward())), line!());
    set_hook(old);
    assert!(result.is_err());
    let (file, at) = seen.lock().unwrap().take().unwrap();
    assert!(file.ends_with("autograd.rs") && file.contains("tests") && at == line, "{file}:{at}");
}

#[test]
fn a_graph_that_keeps_nothing_needs_no_retaining() {
    let x = leaf([1.0, 2.0]);
    let loss = (&x + 1.0).sum();
    loss.backward();
    loss.backward();
    assert_eq!(grad(&x), [2.0, 2.0]);
}

#[test]
fn a_gradient_for_any_shape_can_be_passed() {
    let x = leaf([1.0, 2.0]);
    (&x * &x).backward_with(&tensor([10.0, 1.0]));
    assert_eq!(grad(&x), [20.0, 4.0]);
}

#[test]
fn detached_tensors_and_no_grad_stop_the_flow() {
    let x = leaf([1.0, 2.0]);
    (&x * x.detach()).sum().backward();
    assert_eq!(grad(&x), [1.0, 2.0]);
    assert!(!no_grad(|| &x * &x).requires_grad());
    no_grad(|| {
        assert!(!grad_enabled());
        enable_grad(|| assert!((&x * &x).requires_grad()));
        no_grad(|| ());
        assert!(!grad_enabled());
    });
    assert!(grad_enabled());
}

#[test]
fn no_grad_ends_with_a_panic_inside() {
    let _ = check(|| no_grad(|| Tensor::zeros([2]).reshape([3])));
    assert!(grad_enabled());
}

#[test]
fn the_graph_sees_the_values_of_the_forward_pass_after_an_update_in_place() {
    let (x, w) = (tensor([3.0, 4.0]), leaf([1.0, 2.0]));
    let loss = (&x * &w * &w).sum();
    no_grad(|| w.fill_(100.0));
    loss.backward();
    assert_eq!(grad(&w), [6.0, 16.0]);
}

#[test]
fn an_update_in_place_reaches_every_clone_and_view() {
    let w = leaf([1.0, 2.0]);
    let (clone, view) = (w.clone(), w.detach().narrow(0, 1, 1));
    no_grad(|| w.sub_(tensor([0.5, 0.5])));
    assert_eq!(clone.to_vec::<f32>(), [0.5, 1.5]);
    assert_eq!(view.to_vec::<f32>(), [1.5]);
}

#[test]
fn integers_and_comparisons_carry_no_gradient() {
    let x = leaf([1.0, 2.0]);
    assert!(!x.gt(1.5).requires_grad() && !x.argmax().requires_grad());
    assert!(check(|| tensor([1, 2]).requires_grad_(true)).is_err());
}

#[test]
fn promotion_is_undone_in_the_gradient() {
    let x = leaf([1.0, 2.0]);
    (&x * tensor([0.1, 0.2]).double()).sum().backward();
    assert_eq!(grad(&x), [0.1, 0.2]);
}

/// The identity, which counts how many of it are alive.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Op for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        (x[0] * 1.0).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        grads![Some(ctx.grad.clone())]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Both
    }
}

#[test]
fn a_loop_that_never_calls_backward_frees_its_graphs() {
    let (alive, x) = (Arc::new(AtomicUsize::new(0)), leaf([1.0, 2.0]));
    for _ in 0..1000 {
        let loss = apply(Counted::new(&alive), &[&apply(Counted::new(&alive), &[&x])]).sum();
        assert_eq!(alive.load(Ordering::Relaxed), 2);
        drop(loss);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_long_chain_is_walked_and_dropped_without_recursion() {
    let x = leaf([0.0, 0.0]);
    let mut sum = x.clone();
    for _ in 0..200_000 {
        sum = sum + 1.0;
    }
    sum.sum().backward();
    assert_eq!(grad(&x), [1.0, 1.0]);
}

/// An operation of a user whose parts disagree.
#[derive(Debug)]
struct Broken {
    forward: fn(&Tensor) -> Tensor,
    backward: fn(&Tensor) -> Grads,
}

impl Op for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        (self.forward)(x[0]).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        (self.backward)(ctx.grad)
    }
}

#[test]
fn an_operation_whose_parts_disagree_is_refused() {
    let message = |forward: fn(&Tensor) -> Tensor, backward: fn(&Tensor) -> Grads| {
        let x = leaf([1.0, 2.0]);
        check(|| apply(Broken { forward, backward }, &[&x]).sum().backward()).unwrap_err()
    };
    assert_eq!(
        message(|x| x.sum(), |g| grads![Some(g.clone())]),
        "broken: forward gives f32 [] but the shape rule says f32 [2]"
    );
    assert_eq!(
        message(|x| x * 1.0, |g| grads![Some(g.sum())]),
        "broken: the gradient of input 0 is f32 [] but the input is f32 [2]"
    );
    assert_eq!(
        message(|x| x * 1.0, |g| grads![Some(g.double())]),
        "broken: the gradient of input 0 is f64 [2] but the input is f32 [2]"
    );
    assert_eq!(message(|x| x * 1.0, |_| Grads::new()), "broken: backward gives 0 gradients for 1 inputs");
}

#[test]
fn gradcheck_needs_double_precision() {
    let message = gradcheck(|x| x[0].sum(), &[tensor([1.0])]).unwrap_err();
    assert!(message.starts_with("gradcheck: input 0 is f32"), "{message}");
}

#[test]
fn a_tensor_that_is_used_while_it_is_lent_out_is_refused() {
    let x = tensor([1.0, 2.0]);
    let read = check(|| x.with_data_mut::<f32, _>(|v| v[0] = x.sum().item())).unwrap_err();
    assert_eq!(read, "with_data_mut: the tensor is used while its own elements are lent for changing");
    assert!(check(|| x.with_data_mut::<f32, _>(|_| drop(x.narrow(0, 0, 1).fill_(0.0).clone()))).is_err());
    x.with_data_mut::<f32, _>(|v| v[0] = 5.0);
    assert_eq!(x.to_vec::<f32>(), [5.0, 2.0]);
}
