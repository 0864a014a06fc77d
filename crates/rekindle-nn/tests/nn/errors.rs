//! What mistakes say: one line, the op first, both facts, a hint.

use rekindle_nn::loss::*;
use rekindle_nn::optim::lr_scheduler::*;
use rekindle_nn::optim::*;
use rekindle_nn::{init, *};
use rekindle_tensor::{Tensor, tensor};

/// Compares the messages of the calls with the stored ones.
macro_rules! assert_messages {
    ($($calls:tt)*) => {
        let text = rekindle_tensor::messages!($($calls)*);
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(text) });
    };
}

fn zeros(shape: impl AsRef<[usize]>) -> Tensor {
    Tensor::zeros(shape.as_ref())
}

#[test]
fn mistakes_with_layers() {
    assert_messages! {
        Linear::new(3, 2).forward(&zeros([5, 4]));
        sequential![Linear::new(4, 3), ReLU, Linear::new(4, 1)].forward(&zeros([5, 4]));
        Conv2d::new(4, 6, 3).groups(4);
        Conv2d::new(1, 6, 3).forward(&zeros([2, 3, 8, 8]));
        Conv2d::new(1, 6, 9).forward(&zeros([2, 1, 8, 8]));
        MaxPool2d::new(2).padding(2).forward(&zeros([2, 1, 8, 8]));
        BatchNorm1d::new(3).forward(&zeros([2, 3, 4, 4]));
        BatchNorm2d::new(3).forward(&zeros([2, 4, 4, 4]));
        LayerNorm::new(3).forward(&zeros([2, 4]));
        Dropout::new(1.5);
        Embedding::new(10, 3).padding_idx(10);
        Embedding::new(10, 3).forward(&tensor([10]));
        Embedding::new(10, 3).forward(&tensor([1.0]));
        EmbedColumns::new(&[1, 2], &[3], &[2]);
        EmbedColumns::new(&[1, 1], &[3, 3], &[2, 2]);
        EmbedColumns::new(&[1], &[3], &[2]).forward(&zeros([5]));
        EmbedColumns::new(&[4], &[3], &[2]).forward(&zeros([5, 4]));
        EmbedColumns::new(&[1], &[3], &[2]).forward(&tensor([[0.0, 3.0]]));
        EmbedColumns::new(&[1], &[3], &[2]).forward(&tensor([[0.0, -1.0]]));
        EmbedColumns::new(&[1], &[3], &[2]).forward(&tensor([[0.0, 1.5]]));
        EmbedColumns::new(&[1], &[3], &[2]).forward(&tensor([[0.0, f64::NAN]]));
        Unflatten::new(1, [1, 28, 27]).forward(&zeros([5, 784]));
        Unflatten::new(2, [1, 28, 28]).forward(&zeros([5, 784]));
        Softmax::new(2).forward(&zeros([5, 3]));
        PReLU::new(3).forward(&zeros([5, 4]));
        init::eye_(&zeros([3]));
        parameter(tensor([1]));
    }
}

#[test]
fn mistakes_with_losses() {
    assert_messages! {
        MSELoss::new().forward(&zeros([4, 1]), &zeros([4]));
        MSELoss::new().forward(&zeros([4]), &zeros([4, 1]));
        L1Loss::new().forward(&zeros([4, 2]), &zeros([8]));
        HuberLoss::new().forward(&zeros([4]), &zeros([5]));
        SmoothL1Loss::new().forward(&zeros([4]), &tensor([1, 2, 3, 4]));
        BCELoss::new().forward(&tensor([0.5, 1.5]), &zeros([2]));
        BCELoss::new().forward(&tensor([0.5, 0.5]), &tensor([0.0, -1.0]));
        BCEWithLogitsLoss::new().forward(&tensor([1, 2]), &zeros([2]));
        BCEWithLogitsLoss::new().forward(&zeros([2]), &zeros([2]).double());
        CrossEntropyLoss::new().forward(&zeros([4, 3]), &tensor([0, 1, 2, 3]));
        CrossEntropyLoss::new().forward(&zeros([2, 3]), &tensor([[0], [1]]));
        CrossEntropyLoss::new().forward(&zeros([2, 3]), &tensor([[0, 1, 0], [1, 0, 0]]));
        CrossEntropyLoss::new().forward(&zeros([3]), &tensor([0, 1, 2]));
        CrossEntropyLoss::new().forward(&zeros([2, 3]), &tensor([0.0, 1.0]));
        CrossEntropyLoss::new().forward(&zeros([2, 3]), &tensor([0, 1, 1]));
        CrossEntropyLoss::new().weight(zeros([2])).forward(&zeros([2, 3]), &tensor([0, 1]));
        CrossEntropyLoss::new().label_smoothing(1.5);
        NLLLoss::new().forward(&zeros([1, 3]), &tensor([-1]));
        KLDivLoss::new().forward(&zeros([2, 3]), &zeros([3]));
        MultiMarginLoss::new().forward(&zeros([2, 3]), &tensor([0.0, 1.0]));
        MultiMarginLoss::new().forward(&zeros([2, 3]), &tensor([0, 3]));
        MultiMarginLoss::new().p(3);
        HuberLoss::new().delta(0.0);
        SmoothL1Loss::new().beta(-1.0);
    }
}

fn p() -> Vec<Tensor> {
    vec![parameter(tensor([1.0]))]
}

#[test]
fn mistakes_with_optimisers() {
    let q = &p()[0];
    let stepped = |mut optimizer: SGD| optimizer.step();
    assert_messages! {
        SGD::new(Vec::<Tensor>::new(), 0.1);
        SGD::new([q.clone(), q.clone()], 0.1);
        SGD::new([q * 2.0], 0.1);
        SGD::new([tensor([1])], 0.1);
        SGD::new(p(), -0.1);
        SGD::new(p(), f64::NAN);
        SGD::new(p(), 0.1).momentum(-0.9);
        SGD::new(p(), 0.1).weight_decay(-1e-4);
        SGD::new(p(), 0.1).dampening(f64::NAN);
        SGD::new(p(), 0.1).nesterov(true);
        SGD::new(p(), 0.1).momentum(0.9).dampening(0.5).nesterov(true);
        stepped(SGD::new([ParamGroup::new(p()).nesterov(true)], 0.1));
        SGD::new([ParamGroup::new(p()).betas((0.9, 0.99))], 0.1);
        SGD::new([ParamGroup::new(p()).lr(-1.0)], 0.1);
        SGD::new(p(), 0.1).add_param_group(ParamGroup::new(p()).momentum(-1.0));
        Adam::new(p(), -1e-3);
        Adam::new(p(), 1e-3).betas((1.0, 0.999));
        Adam::new(p(), 1e-3).betas((0.9, -0.1));
        Adam::new(p(), 1e-3).eps(-1e-8);
        Adam::new(p(), 1e-3).weight_decay(-0.1);
        AdamW::new(p(), 1e-3).betas((0.9, 1.0));
        RMSprop::new(p(), 0.01).alpha(-0.1);
        RMSprop::new(p(), 0.01).momentum(-0.1);
        Adagrad::new(p(), 0.01).lr_decay(-0.1);
        Adagrad::new(p(), 0.01).initial_accumulator_value(-0.1);
        Adamax::new(p(), 0.01).betas((f64::NAN, 0.9));
        Adadelta::new(p(), 1.0).rho(1.5);
        clip_grad_value_(&p(), -1.0);
        clip_grad_norm_of_(&p(), 1.0, 0.0);
    }
}

#[test]
fn mistakes_with_schedulers() {
    let o = &mut SGD::new(p(), 0.1);
    let cycle = |pct_start| OneCycle { pct_start, ..OneCycle::default() };
    assert_messages! {
        StepLR::new(o, 0, 0.1);
        ConstantLR::new(o, 1.5, 5);
        ConstantLR::new(o, -0.5, 5);
        LinearLR::new(o, 0.0, 1.0, 5);
        LinearLR::new(o, 0.5, 1.5, 5);
        CosineAnnealingLR::new(o, 0, 0.0);
        CosineAnnealingWarmRestarts::new(o, 0, 1, 0.0);
        CosineAnnealingWarmRestarts::new(o, 1, 1, 0.0).step_to(o, -1.0);
        OneCycleLR::new(o, 0.1, 0);
        OneCycleLR::with(o, 0.1, 10, cycle(1.5));
        OneCycleLR::with(o, 0.1, 10, cycle(0.1));
        OneCycleLR::with(&mut Adagrad::new(p(), 0.1), 0.1, 10, cycle(0.3));
        ReduceLROnPlateau::new().factor(1.0);
        StepLR::new(o, 1, 0.1).step(&mut SGD::new([ParamGroup::new(p()), ParamGroup::new(p())], 0.1));
    }
}
