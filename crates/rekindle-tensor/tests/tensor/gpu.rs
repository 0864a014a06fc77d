//! Every operation on a GPU against the CPU. Without a device these tests say so and pass; CI has Mesa's software Vulkan.

use rekindle_tensor::ops::samples;
use rekindle_tensor::{Device, Tensor, check, no_grad, tensor};
use std::io::Write;

/// The first device, if there is one.
pub fn device() -> Option<Device> {
    let device = Device::gpu(0);
    let there = device.check();
    if let Err(e) = &there {
        _ = writeln!(std::io::stderr(), "NO GPU: nothing was tested: {e}");
    }
    there.ok().map(|()| device)
}

#[test]
fn every_operation_agrees_with_the_cpu() {
    let Some(device) = device() else { return };
    let failures: Vec<String> =
        samples().iter().flat_map(|(_, s)| s).filter_map(|sample| sample.check_gpu(device).err()).collect();
    assert!(failures.is_empty(), "{} samples:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn tensors_move_and_come_back() {
    let Some(gpu) = device() else { return };
    let x = tensor([[1.5, -2.0], [f64::INFINITY, f64::NAN]]);
    let there = x.to(gpu);
    assert!(there.device() == gpu && there.cpu().bitwise_eq(&x) && there.bitwise_eq(&x));
    assert_eq!(x.t().to(gpu).to_vec::<f32>()[1], f32::INFINITY);
    assert_eq!(there.t().select(0, 1).cpu().to_vec::<f32>()[0], -2.0);
    assert_eq!(tensor([1, -7]).to(gpu).to_vec::<i64>(), [1, -7]);
    assert_eq!(tensor([true, false]).to(gpu).to_vec::<bool>(), [true, false]);
    assert_eq!(tensor([1.0, 2.0]).to(gpu).to_string(), "tensor([1., 2.], device='gpu:0')");
    assert!(Tensor::zeros([0, 3]).to(gpu).to_vec::<f32>().is_empty());
}

#[test]
fn a_parameter_moves_in_place_with_its_gradient() {
    let Some(gpu) = device() else { return };
    let w = tensor([1.0, 2.0]).requires_grad_(true);
    (&w * 3.0).sum().backward();
    let same = w.clone();
    w.to_(gpu);
    assert!(same.device() == gpu && same.is_leaf() && same.grad().unwrap().device() == gpu);
    (&w * 2.0).sum().backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [5.0, 5.0]);
}

#[test]
fn gradients_cross_devices() {
    let Some(gpu) = device() else { return };
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    (x.to(gpu) * 3.0).sum().cpu().backward();
    assert_eq!(x.grad().unwrap().device(), Device::Cpu);
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [3.0, 3.0]);
}

#[test]
fn changes_in_place_do_not_reach_snapshots() {
    let Some(gpu) = device() else { return };
    let w = tensor([2.0, 3.0]).to(gpu).requires_grad_(true);
    let y = (&w * &w).sum();
    no_grad(|| _ = w.fill_(100.0));
    y.backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [4.0, 6.0]);
    let x = Tensor::zeros([3, 2]).to(gpu);
    x.t().select(0, 0).copy_(&tensor([1.0, 2.0, 3.0]));
    x.select(0, 2).fill_(9.0);
    x.select(0, 0).copy_(&x.select(0, 2));
    assert_eq!(x.to_vec::<f32>(), [9.0, 9.0, 2.0, 0.0, 9.0, 9.0]);
    x.add_(1.0).mul_(2);
    assert_eq!(x.to_vec::<f32>()[..2], [20.0, 20.0]);
}

#[test]
fn tensors_on_different_devices_are_refused_by_name() {
    let Some(gpu) = device() else { return };
    let (x, w) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 3]).to(gpu));
    let say = |f: &dyn Fn() -> Tensor| check(f).unwrap_err();
    assert_eq!(
        say(&|| x.linear(&w, None)),
        "linear: input is on cpu, weight on gpu:0; move one with .to(..)"
    );
    assert_eq!(say(&|| &x + &w.select(0, 0)), "add: input is on cpu, other on gpu:0; move one with .to(..)");
    // A number has no device.
    assert_eq!((&w + 1.0).device(), gpu);
    assert_eq!((tensor(2.0) * &w).device(), gpu);
}

#[test]
fn what_a_gpu_cannot_hold_is_refused() {
    let Some(gpu) = device() else { return };
    let say = |f: &dyn Fn() -> Tensor| check(f).unwrap_err();
    assert_eq!(say(&|| tensor([1.0]).double().to(gpu)), "to: a GPU has no f64; convert with .float() first");
    assert_eq!(
        say(&|| tensor([1i64 << 40]).to(gpu)),
        "to: a GPU holds integers in 32 bits and 1099511627776 does not fit; keep this tensor on the cpu"
    );
    assert!(say(&|| tensor([1.0]).to(gpu).double()).contains("no f64"));
    assert!(say(&|| tensor([1]).to(gpu) + (1i64 << 40)).contains("1099511627776 does not fit"));
    assert_eq!(tensor([7, -7]).to(gpu).clamp(0, i64::MAX).to_vec::<i64>(), [7, 0]);
    let e = say(&|| {
        tensor([1.0]).to(gpu).with_data_mut::<f32, _>(|_| ());
        tensor([1.0])
    });
    assert!(e.starts_with("data: the elements are on gpu:0"), "{e}");
    assert!(say(&|| tensor([1.0]).to(Device::gpu(1000))).starts_with("gpu:1000: there is no such device"));
}

#[test]
fn reruns_give_the_same_bits() {
    let Some(gpu) = device() else { return };
    let x = (Tensor::arange(0.0, 300_000.0, 1.0) * 0.37).sin().to(gpu).reshape([300, 1000]);
    let run = || [x.sum(), x.sum_dim(0, false).sum(), x.matmul(&x.t()).sum()].map(|t| t.item::<f32>());
    assert_eq!(run().map(f32::to_bits), run().map(f32::to_bits));
}

#[test]
fn dropout_draws_the_masks_of_the_cuda_stream_in_every_layout() {
    use rekindle_tensor::random::dropout::{DropoutStream, with_dropout_stream};
    use rekindle_tensor::random::{Generator, with_generator};
    let Some(gpu) = device() else { return };
    // In fours, in twos and apart; one and several draws a thread.
    for n in [8, 6, 7, 1_000_000, 1_000_002, 1_000_001] {
        let draw = |x: Tensor| {
            let mut g = Generator::seeded(7);
            let twice = || [x.dropout(0.3), x.dropout(0.9)].map(|y| y.cpu());
            let masks = with_dropout_stream(DropoutStream::Cuda, || with_generator(&mut g, twice));
            (masks, g.cuda_state())
        };
        let ((here, at), (there, then)) = (draw(Tensor::ones([n])), draw(Tensor::ones([n]).to(gpu)));
        assert!(here.iter().zip(&there).all(|(a, b)| a.bitwise_eq(b)) && at == then, "{n}");
    }
}

#[test]
fn a_chain_of_element_wise_operations_gives_what_each_gives() {
    let Some(gpu) = device() else { return };
    let x = Tensor::linspace(-2.0, 2.0, 1000);
    let chain = |x: &Tensor| {
        let y = (x * 2.0 + 1.0).relu();
        // `kept` is read after the chain has ended, what is between is not.
        let kept = &y * x;
        let z = (&kept + &y).sigmoid() - x.narrow(0, 3, 1);
        x.detach().copy().add_(1.0);
        (z.sum(), kept, y.narrow(0, 0, 500) + y.narrow(0, 500, 500))
    };
    let ((a, b, c), (d, e, f)) = (chain(&x), chain(&x.to(gpu)));
    let close = |a: &Tensor, b: &Tensor| (a - b.cpu()).abs().max().item::<f32>() < 1e-3;
    assert!(close(&a, &d) && close(&b, &e) && close(&c, &f));
}

#[test]
fn losses_and_what_is_not_finite_are_read_many_steps_at_a_time() {
    use rekindle_tensor::gpu::Ledger;
    let Some(gpu) = device() else { return };
    let ledger = Ledger::new(0, 4, 2);
    let on = |v: f64| tensor([v, 1.0]).to(gpu);
    for step in 0..3 {
        ledger.put(0, &on(step as f64).narrow(0, 0, 1));
        ledger.put(1, &tensor(0.5).to(gpu));
        ledger.look(0, &[&on(1.0), &on(2.0)]);
        // The second of seven tensors, in the second step; a later one is no news.
        let odd = if step >= 1 { f64::NAN } else { 1.0 };
        ledger.look(2, &[&on(1.0), &on(odd), &on(1.0), &on(1.0), &on(1.0), &on(1.0), &on(odd)]);
        assert!(!ledger.next());
    }
    let page = ledger.read();
    assert_eq!(page.rows, [[0.0, 0.5], [1.0, 0.5], [2.0, 0.5]]);
    assert_eq!(page.not_finite, Some((1, 3)));
    ledger.look(0, &[&on(1.0)]);
    ledger.next();
    assert_eq!(ledger.read().not_finite, None);
}
