//! The random numbers that new layers draw, in PyTorch's order.

use crate::visit::parameter;
use rekindle_tensor::Tensor;
use rekindle_tensor::random::init::{self, FanMode, Nonlinearity};
use rekindle_tensor::random::{Generator, with_default};
use std::cell::RefCell;

/// A layer's weight and bias.
pub(crate) type Drawn = (Tensor, Option<Tensor>);

/// The layer that was drawn last on this thread.
struct Last {
    /// The address of its weights, to know it again.
    weight: usize,
    before: Generator,
    after: Generator,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

fn address(weight: &Tensor) -> usize {
    weight.data::<f32>().as_ptr().addr()
}

/// Draws the weight of a linear or convolution layer and then its bias, as PyTorch's constructors do: both uniform
/// in ±1/√fan_in.
pub(crate) fn weight_and_bias(shape: &[usize], bias: bool) -> Drawn {
    with_default(|generator| draw(shape, bias, generator))
}

/// Draws again for a builder method that changes what a constructor has drawn (`Linear::new(2, 1).bias(false)`).
/// If nothing else was drawn in between, the stream stands afterwards as if the layer had been made so at once.
pub(crate) fn again(old: &Tensor, shape: &[usize], bias: bool) -> Drawn {
    with_default(|generator| {
        if let Some(last) = LAST.take()
            && last.weight == address(old)
            && last.after == *generator
        {
            *generator = last.before;
        }
        draw(shape, bias, generator)
    })
}

fn draw(shape: &[usize], bias: bool, generator: &mut Generator) -> Drawn {
    let before = generator.clone();
    let (mut weight, mut offsets) = (vec![0f32; shape.iter().product()], vec![0f32; shape[0]]);
    let slope = Nonlinearity::LeakyRelu(5f64.sqrt());
    init::kaiming_uniform(&mut weight, shape, FanMode::FanIn, slope, generator);
    if bias {
        init::linear_bias(&mut offsets, shape[1..].iter().product(), generator);
    }
    let weight = parameter(Tensor::from_vec(weight, shape));
    LAST.set(Some(Last { weight: address(&weight), before, after: generator.clone() }));
    (weight, bias.then(|| parameter(Tensor::from_vec(offsets, shape[0]))))
}

#[cfg(test)]
mod tests {
    use crate::Linear;
    use rekindle_tensor::random::{Generator, with_default, with_generator};

    fn next() -> u32 {
        with_default(Generator::next_u32)
    }

    #[test]
    fn a_layer_without_bias_takes_back_the_draws_of_its_bias() {
        // torch.manual_seed(0); nn.Linear(3, 2, bias=False): six words, then the stream goes on.
        let mut seventh = Generator::seeded(0);
        (0..6).for_each(|_| _ = seventh.next_u32());
        let after = with_generator(&mut Generator::seeded(0), || {
            let layer = Linear::new(3, 2).bias(false);
            assert!(layer.bias.is_none());
            next()
        });
        assert_eq!(after, seventh.next_u32());
    }

    #[test]
    fn only_the_layers_own_draws_are_taken_back() {
        with_generator(&mut Generator::seeded(0), || {
            let first = Linear::new(3, 2);
            let second = Linear::new(3, 2).weight.to_vec::<f32>();
            let first = first.bias(false);
            assert_ne!(first.weight.to_vec::<f32>(), second, "the second layer's draws belong to it");
        });
    }
}
