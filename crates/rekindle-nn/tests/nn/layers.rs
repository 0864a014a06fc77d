//! Layers against PyTorch 2.15: how they print, what they draw and compute, and what they refuse.

use rekindle_nn::*;
use rekindle_tensor::random::{Generator, with_default, with_generator};
use rekindle_tensor::{Tensor, no_grad, tensor};

#[track_caller]
fn assert_close(got: &Tensor, expected: &[f64]) {
    let got = got.to_f64_vec();
    assert_eq!(got.len(), expected.len());
    for (g, e) in got.iter().zip(expected) {
        assert!((g - e).abs() <= 1e-5 * e.abs().max(1.0), "{got:?}\n{expected:?}");
    }
}

#[test]
#[rustfmt::skip]
fn layers_print_as_in_pytorch() {
    let table: Vec<(Box<dyn Module>, &str)> = vec![
        (Box::new(Linear::new(3, 2).bias(false)), "Linear(in_features=3, out_features=2, bias=False)"),
        (Box::new(Conv1d::new(4, 8, 3).padding(1)), "Conv1d(4, 8, kernel_size=(3,), stride=(1,), padding=(1,))"),
        (Box::new(Conv2d::new(1, 16, 5)), "Conv2d(1, 16, kernel_size=(5, 5), stride=(1, 1))"),
        (Box::new(Conv2d::new(4, 8, (3, 5)).stride(2).padding((1, 2)).dilation(2).groups(2).bias(false)), "Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), dilation=(2, 2), groups=2, bias=False)"),
        (Box::new(MaxPool1d::new(2)), "MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
        (Box::new(MaxPool2d::new(2)), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
        (Box::new(MaxPool2d::new((3, 2)).stride(2).padding(1).dilation(2).ceil_mode(true)), "MaxPool2d(kernel_size=(3, 2), stride=2, padding=1, dilation=2, ceil_mode=True)"),
        (Box::new(AvgPool1d::new(2)), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"),
        (Box::new(AvgPool2d::new(3).stride((2, 1))), "AvgPool2d(kernel_size=3, stride=(2, 1), padding=0)"),
        (Box::new(AdaptiveAvgPool1d::new(4)), "AdaptiveAvgPool1d(output_size=4)"),
        (Box::new(AdaptiveAvgPool2d::new(1)), "AdaptiveAvgPool2d(output_size=1)"),
        (Box::new(AdaptiveAvgPool2d::new((1, 2))), "AdaptiveAvgPool2d(output_size=(1, 2))"),
        (Box::new(Flatten::new()), "Flatten(start_dim=1, end_dim=-1)"),
        (Box::new(Unflatten::new(1, [1, 28, 28])), "Unflatten(dim=1, unflattened_size=(1, 28, 28))"),
        (Box::new(Dropout::new(0.5)), "Dropout(p=0.5, inplace=False)"),
        (Box::new(Dropout1d::new(0.1)), "Dropout1d(p=0.1, inplace=False)"),
        (Box::new(Dropout2d::new(0.2)), "Dropout2d(p=0.2, inplace=False)"),
        (Box::new(AlphaDropout::new(0.3)), "AlphaDropout(p=0.3, inplace=False)"),
        (Box::new(BatchNorm1d::new(3).affine(false)), "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=True)"),
        (Box::new(BatchNorm2d::new(16).eps(1e-3).momentum(None).track_running_stats(false)), "BatchNorm2d(16, eps=0.001, momentum=None, affine=True, bias=True, track_running_stats=False)"),
        (Box::new(LayerNorm::new(32)), "LayerNorm((32,), eps=1e-05, elementwise_affine=True, bias=True)"),
        (Box::new(LayerNorm::new([4, 5]).elementwise_affine(false)), "LayerNorm((4, 5), eps=1e-05, elementwise_affine=False, bias=False)"),
        (Box::new(LayerNorm::new(2).elementwise_affine(false).bias(true)), "LayerNorm((2,), eps=1e-05, elementwise_affine=False, bias=False)"),
        (Box::new(LayerNorm::new(3).bias(false)), "LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=False)"),
        (Box::new(Embedding::new(10, 3)), "Embedding(10, 3)"),
        (Box::new(Embedding::new(10, 3).padding_idx(0)), "Embedding(10, 3, padding_idx=0)"),
        (Box::new(EmbedColumns::new(&[2, 0], &[3, 4], &[2, 1])), "EmbedColumns(\n  columns=[2, 0]\n  (0): Embedding(3, 2)\n  (1): Embedding(4, 1)\n)"),
        (Box::new(ReLU), "ReLU()"),
        (Box::new(Sigmoid), "Sigmoid()"),
        (Box::new(Tanh), "Tanh()"),
        (Box::new(SiLU), "SiLU()"),
        (Box::new(SELU), "SELU()"),
        (Box::new(LogSigmoid), "LogSigmoid()"),
        (Box::new(Mish), "Mish()"),
        (Box::new(Softsign), "Softsign()"),
        (Box::new(Hardswish), "Hardswish()"),
        (Box::new(Hardsigmoid), "Hardsigmoid()"),
        (Box::new(Identity), "Identity()"),
        (Box::new(LeakyReLU::default()), "LeakyReLU(negative_slope=0.01)"),
        (Box::new(ELU::default()), "ELU(alpha=1.0)"),
        (Box::new(CELU::default()), "CELU(alpha=1.0)"),
        (Box::new(Softplus::default()), "Softplus(beta=1.0, threshold=20.0)"),
        (Box::new(Hardtanh::default()), "Hardtanh(min_val=-1.0, max_val=1.0)"),
        (Box::new(GELU::default()), "GELU(approximate='none')"),
        (Box::new(LeakyReLU::new(0.2)), "LeakyReLU(negative_slope=0.2)"),
        (Box::new(GELU::tanh()), "GELU(approximate='tanh')"),
        (Box::new(Softmax::new(1)), "Softmax(dim=1)"),
        (Box::new(LogSoftmax::new(-1)), "LogSoftmax(dim=-1)"),
        (Box::new(PReLU::new(3)), "PReLU(num_parameters=3)"),
    ];
    for (layer, expected) in table {
        assert_eq!(layer.to_string(), expected);
    }
}

/// A network with one of most layers.
fn net() -> Sequential {
    sequential![
        Conv2d::new(2, 4, 3).padding(1).groups(2).bias(false),
        BatchNorm2d::new(4),
        GELU::new(),
        MaxPool2d::new(2),
        Conv2d::new(4, 3, (1, 2)).stride(2),
        PReLU::new(3),
        Flatten::new(),
        LayerNorm::new(12),
        Dropout::new(0.5),
        Linear::new(12, 2),
        LogSoftmax::new(1),
    ]
}

fn images() -> Tensor {
    Tensor::linspace(-1.0, 1.0, 2 * 2 * 8 * 8).reshape([2, 2, 8, 8])
}

#[test]
fn a_network_of_many_layers_computes_pytorchs_numbers() {
    // torch.manual_seed(0), the same layers, one forward and backward pass in training and one in evaluation.
    with_generator(&mut Generator::seeded(0), || {
        let net = net();
        let y = net.forward(&images());
        assert_close(
            &y,
            &[-1.2568261623382568, -0.33485153317451477, -0.7361142635345459, -0.6519505381584167],
        );
        y.narrow(1, 0, 1).sum().backward();
        let grad = |name| net.get_parameter(name).unwrap().grad().unwrap();
        let first = grad("0.weight").reshape([-1]).narrow(0, 0, 4);
        assert_close(
            &first,
            &[0.05234682559967041, -0.3794657289981842, -1.0829038619995117, 0.3587914705276489],
        );
        assert_close(&grad("4.bias"), &[1.57345449924469, -1.6157889366149902, 0.14885026216506958]);
        assert_close(
            &grad("1.weight"),
            &[0.11340602487325668, -0.12744581699371338, 0.09392599761486053, -0.6620268225669861],
        );
        let running = net.named_buffers();
        let names: Vec<&str> = running.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["1.running_mean", "1.running_var", "1.num_batches_tracked"]);
        let mean = [0.0037695409264415503, 0.011519729159772396, 0.011717898771166801, -0.0268495324999094];
        assert_close(&running[0].1, &mean);
        let var = [0.900886595249176, 0.9051199555397034, 0.9062951803207397, 0.9341652989387512];
        assert_close(&running[1].1, &var);
        assert_eq!(running[2].1.item::<i64>(), 1);
        net.eval();
        let expected = [-0.9298985004425049, -0.5018554925918579, -1.208804726600647, -0.3546113073825836];
        assert_close(&net.forward(&images()), &expected);
        let mut next = [0f32];
        with_default(|g| g.uniform(&mut next, 0.0, 1.0));
        assert_eq!(next, [0.45686555], "layers and dropout drew as many numbers as PyTorch's");
    });
}

#[test]
fn state_has_pytorchs_names_and_comes_back() {
    let names: Vec<String> = net().state_dict().names().map(String::from).collect();
    let expected = "0.weight 1.weight 1.bias 1.running_mean 1.running_var 1.num_batches_tracked 4.weight 4.bias \
                    5.weight 7.weight 7.bias 9.weight 9.bias";
    assert_eq!(names.join(" "), expected);
    let (a, b) = (net(), net());
    no_grad(|| _ = a.forward(&images()));
    b.load_state_dict(&a.state_dict()).unwrap();
    a.eval();
    b.eval();
    assert!(a.forward(&images()).detach().bitwise_eq(&b.forward(&images()).detach()));
}

#[test]
fn the_summary_of_a_network_with_state_changes_nothing() {
    let net = net();
    let before = net.state_dict();
    let text = summary(&net, [2, 8, 8]).to_string();
    assert!(before.iter().zip(net.state_dict().iter()).all(|(a, b)| a.1.bitwise_eq(b.1)));
    assert_eq!(
        text,
        "\
Layer            Output shape     Parameters
--------------------------------------------
0 (Conv2d)       [None, 4, 8, 8]          36
1 (BatchNorm2d)  [None, 4, 8, 8]           8
2 (GELU)         [None, 4, 8, 8]           0
3 (MaxPool2d)    [None, 4, 4, 4]           0
4 (Conv2d)       [None, 3, 2, 2]          27
5 (PReLU)        [None, 3, 2, 2]           3
6 (Flatten)      [None, 12]                0
7 (LayerNorm)    [None, 12]               24
8 (Dropout)      [None, 12]                0
9 (Linear)       [None, 2]                26
10 (LogSoftmax)  [None, 2]                 0
--------------------------------------------
Total parameters: 124
Trainable parameters: 124
Size: 536 bytes"
    );
}

#[test]
fn embeddings_and_sequences_draw_pytorchs_numbers() {
    // torch.manual_seed(0); nn.Embedding(5, 4, padding_idx=1); nn.Conv1d(2, 2, 2)
    let (table, bias) = with_generator(&mut Generator::seeded(0), || {
        let table = Embedding::new(5, 4).padding_idx(1);
        (table, Conv1d::new(2, 2, 2).bias.unwrap())
    });
    assert_eq!(table.weight.narrow(0, 4, 1).to_vec::<f32>(), [0.9318266, 1.2590092, 2.0049806, 0.053736903]);
    assert_eq!(table.weight.narrow(0, 1, 1).to_vec::<f32>(), [0.0; 4]);
    assert_eq!(bias.to_vec::<f32>(), [-0.36128312, -0.257765]);
    let y = table.forward(&tensor([[1, 4]]));
    y.sum().backward();
    let grad = table.weight.grad().unwrap().sum_dim(1, false);
    assert_eq!(grad.to_vec::<f32>(), [0.0, 0.0, 0.0, 0.0, 4.0]);
}

#[test]
fn embedded_columns_draw_look_up_and_learn_as_embeddings_do() {
    let mut generator = Generator::seeded(0);
    let layer = with_generator(&mut generator, || EmbedColumns::new(&[2, 0], &[3, 4], &[2, 1]));
    let mut generator = Generator::seeded(0);
    let tables = with_generator(&mut generator, || [Embedding::new(3, 2), Embedding::new(4, 1)]);
    let names: Vec<String> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.weight", "1.weight"]);
    let (first, second) = (&tables[0].weight, &tables[1].weight);
    for (ours, theirs) in layer.parameters().iter().zip([first, second]) {
        assert!(ours.bitwise_eq(theirs));
    }
    let x = parameter(tensor([[3.0, 0.5, 1.0, 7.0], [0.0, 1.5, 1.0, 8.0]]));
    let y = layer.forward(&x);
    let others = tensor([[0.5, 7.0], [1.5, 8.0]]);
    let expected = Tensor::cat(
        &[&others, &first.embedding(&tensor([1, 1]), None), &second.embedding(&tensor([3, 0]), None)],
        1,
    );
    assert!(y.detach().bitwise_eq(&expected.detach()));
    (&y * tensor([1.0, 10.0, 100.0, 1000.0, 5.0])).sum().backward();
    let grads: Vec<Vec<f32>> = layer.parameters().iter().map(|p| p.grad().unwrap().to_vec()).collect();
    assert_eq!(grads, [vec![0.0, 0.0, 200.0, 2000.0, 0.0, 0.0], vec![5.0, 0.0, 0.0, 5.0]]);
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0, 0.0, 10.0, 0.0, 1.0, 0.0, 10.0]);
    // Nothing but indices.
    assert_eq!(EmbedColumns::new(&[0], &[2], &[3]).forward(&tensor([[1.0], [0.0]])).shape(), [2, 3]);
}

#[test]
fn batch_statistics_are_averaged_equally_without_momentum() {
    let layer = BatchNorm1d::new(2).momentum(None);
    let x = tensor([[1.0, 2.0], [3.0, 5.0]]);
    for k in 1..=3 {
        layer.forward(&(&x * k as f64));
    }
    assert_close(layer.running_mean.as_deref().unwrap(), &[4.0, 7.0]);
    assert_close(layer.running_var.as_deref().unwrap(), &[28.0 / 3.0, 21.0]);
}

#[test]
fn without_running_statistics_evaluation_uses_the_batch() {
    let layer = BatchNorm1d::new(2).track_running_stats(false);
    layer.eval();
    assert!(layer.named_buffers().is_empty());
    assert_close(
        &layer.forward(&tensor([[1.0, 2.0], [3.0, 5.0]])),
        &[-0.999995, -0.9999979, 0.999995, 0.9999977],
    );
}

#[test]
fn groups_are_drawn_as_if_made_at_once() {
    let mut next = [Generator::seeded(3), Generator::seeded(3)];
    let grouped = with_generator(&mut next[0], || Conv1d::new(4, 6, 3).groups(2).bias(false).weight);
    let plain = with_generator(&mut next[1], || Conv1d::new(2, 6, 3).bias(false).weight);
    assert!(grouped.bitwise_eq(&plain), "fan_in is that of one group");
    assert!(next[0] == next[1]);
}

#[test]
fn learnt_slopes_get_the_gradient_of_the_negative_side() {
    let layer = PReLU::new(1);
    let x = tensor([-2.0, 0.0, 3.0]).requires_grad_(true);
    layer.forward(&x).sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.25, 0.25, 1.0]);
    assert_eq!(layer.weight.grad().unwrap().to_vec::<f32>(), [-2.0]);
}

#[test]
fn initialisers_draw_pytorchs_numbers() {
    // torch.manual_seed(0); nn.init.xavier_uniform_(torch.empty(2, 3))
    let weight = Tensor::zeros([2, 3]);
    with_generator(&mut Generator::seeded(0), || _ = init::xavier_uniform_(&weight, 1.0));
    assert_close(
        &weight,
        &[
            -0.008201400749385357,
            0.5876445174217224,
            -0.9016007781028748,
            -0.8061808347702026,
            -0.4219154715538025,
            0.29375168681144714,
        ],
    );
    assert_eq!(init::ones_(&weight).sum().item::<f32>(), 6.0);
}

#[test]
#[should_panic(expected = "batch_norm2d: the input must be [N, C, H, W], got [2, 3]")]
fn the_layout_is_checked() {
    BatchNorm2d::new(3).forward(&Tensor::zeros([2, 3]));
}

#[test]
#[should_panic(expected = "conv2d: 3 groups do not divide 4 input and 6 output channels")]
fn groups_must_divide_the_channels() {
    Conv2d::new(4, 6, 1).groups(3);
}

#[test]
#[should_panic(expected = "dropout: a probability must lie in [0, 1], got 50")]
fn percentages_are_no_probabilities() {
    Dropout::new(50.0);
}

#[test]
#[should_panic(expected = "unflatten: [1, 28, 28] do not fill dimension 1 of [2, 10]")]
fn unflatten_needs_all_elements() {
    Unflatten::new(1, [1, 28, 28]).forward(&Tensor::zeros([2, 10]));
}
