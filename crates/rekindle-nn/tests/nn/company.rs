//! A row of a batch has the same bits in any company of at least one other row.

use rekindle_nn::*;
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::{Tensor, no_grad};

fn nets() -> Vec<(&'static str, Vec<usize>, Sequential)> {
    vec![
        ("line", vec![2], sequential![Linear::new(2, 1)]),
        (
            "circles",
            vec![2],
            sequential![Linear::new(2, 10), ReLU, Linear::new(10, 10), ReLU, Linear::new(10, 1)],
        ),
        ("wide", vec![784], sequential![Linear::new(784, 256), ReLU, Linear::new(256, 10)]),
        (
            "deep",
            vec![1000],
            sequential![
                Linear::new(1000, 777),
                GELU::new(),
                LayerNorm::new(777),
                Linear::new(777, 333),
                BatchNorm1d::new(333),
                SiLU,
                Linear::new(333, 3),
                Softmax::new(1)
            ],
        ),
        (
            "lecture cnn",
            vec![1, 28, 28],
            sequential![
                Conv2d::new(1, 16, 5),
                ReLU,
                MaxPool2d::new(2),
                Flatten::new(),
                Linear::new(2304, 10)
            ],
        ),
        (
            "cnn",
            vec![1, 28, 28],
            sequential![
                Conv2d::new(1, 64, 4),
                ReLU,
                MaxPool2d::new(2),
                Conv2d::new(64, 32, 4),
                BatchNorm2d::new(32),
                ReLU,
                MaxPool2d::new(2),
                Dropout2d::new(0.5),
                Flatten::new(),
                Linear::new(512, 10)
            ],
        ),
        (
            "strided",
            vec![3, 32, 32],
            sequential![
                Conv2d::new(3, 12, 3).stride(2).padding(1),
                Tanh,
                Conv2d::new(12, 24, 3).groups(3).dilation(2),
                Sigmoid,
                AvgPool2d::new(2),
                AdaptiveAvgPool2d::new(1),
                Flatten::new(),
                Linear::new(24, 7)
            ],
        ),
    ]
}

#[test]
fn a_row_has_the_same_bits_in_any_company() {
    with_generator(&mut Generator::seeded(3), check);
}

fn check() {
    for (name, shape, net) in nets() {
        net.eval();
        let most = 70;
        let x = Tensor::randn([&[most], shape.as_slice()].concat());
        let ask = |x: &Tensor| no_grad(|| net.forward(x)).flatten(1, -1).to_vec::<f32>();
        let whole = ask(&x);
        let width = whole.len() / most;
        for n in [2, 3, 5, 8, 17, 33, 64, most] {
            for start in [0, most - n] {
                let some = ask(&x.narrow(0, start, n));
                let same = some.iter().zip(&whole[start * width..]).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{name}: {n} rows from {start}");
            }
        }
        let twin = ask(&Tensor::cat(&[x.narrow(0, 5, 1), x.narrow(0, 5, 1)], 0));
        assert!(twin[..width] == whole[5 * width..6 * width], "{name}: twins");
    }
}
