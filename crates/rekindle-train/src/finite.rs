//! Numbers that are not finite, found where they first appear.

use rekindle_nn::optim::Optimizer;
use rekindle_nn::{Parameters, Sequential};
use rekindle_tensor::plan::aside;
use rekindle_tensor::{DType, Tensor};

/// Whether every element is a finite number. Reads the memory once, without a branch for each element.
pub(crate) fn is_finite(x: &Tensor) -> bool {
    const BLOCK: usize = 4096;
    match x.dtype() {
        // All ones in the exponent mean infinity or NaN.
        DType::F32 => x.data::<f32>().chunks(BLOCK).all(|block| {
            const EXPONENT: u32 = 0x7f80_0000;
            block.iter().fold(0, |bad, v| bad | u32::from(v.to_bits() & EXPONENT == EXPONENT)) == 0
        }),
        DType::F64 => x.data::<f64>().iter().all(|v| v.is_finite()),
        _ => true,
    }
}

/// An error that names the tensor if it is not finite.
pub(crate) fn finite(name: impl FnOnce() -> String, x: &Tensor) -> Result<(), String> {
    // It ends a step or changes nothing, so a record of the step need not hold it.
    if aside(|| is_finite(x)) { Ok(()) } else { Err(name()) }
}

/// The net's output; every layer's output is checked, because a later layer may hide an infinity (the sigmoid of
/// infinity is 1).
pub(crate) fn forward(net: &Sequential, x: &Tensor) -> Result<Tensor, String> {
    let mut x = x.clone();
    for (i, layer) in net.iter().enumerate() {
        x = layer.forward(&x);
        finite(|| format!("the output of layer {i} ({})", layer.type_name()), &x)?;
    }
    Ok(x)
}

/// The weights, buffers and optimiser of a run, with their names.
pub(crate) struct Watch {
    parameters: Vec<(String, Tensor)>,
    buffers: Vec<(String, Tensor)>,
}

impl Watch {
    pub(crate) fn new(net: &dyn Parameters) -> Watch {
        Watch { parameters: net.named_parameters(), buffers: net.named_buffers() }
    }

    /// Checks every gradient, before it is used.
    pub(crate) fn gradients(&self) -> Result<(), String> {
        self.parameters.iter().try_for_each(|(name, p)| match p.grad() {
            Some(grad) => finite(|| format!("the gradient of {name}"), &grad),
            None => Ok(()),
        })
    }

    /// Checks what a step has changed: weights, buffers and the optimiser's state.
    pub(crate) fn state(&self, optimizer: &dyn Optimizer) -> Result<(), String> {
        for (name, t) in self.parameters.iter().chain(&self.buffers) {
            finite(|| format!("the weight {name}"), t)?;
        }
        let state = optimizer.state_dict();
        state.iter().try_for_each(|(name, t)| finite(|| format!("the optimizer's {}", self.renamed(name)), t))
    }

    /// `state.3.exp_avg` is the `exp_avg` of the fourth parameter.
    fn renamed(&self, name: &str) -> String {
        let of = |rest: &str| {
            let (i, what) = rest.split_once('.')?;
            let (parameter, _) = self.parameters.get(i.parse::<usize>().ok()?)?;
            Some(format!("{what} of {parameter}"))
        };
        name.strip_prefix("state.").and_then(of).unwrap_or(name.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_nn::optim::Adam;
    use rekindle_nn::{Linear, Module, ReLU, Sigmoid, sequential};
    use rekindle_tensor::{no_grad, tensor};

    #[test]
    fn one_bad_element_of_many_is_found() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 4095, 4096, 9999] {
                let mut values = vec![f32::MAX; 10_000];
                assert!(is_finite(&Tensor::from_vec(values.clone(), [100, 100])));
                values[at] = bad;
                assert!(!is_finite(&Tensor::from_vec(values, [100, 100])), "{bad} at {at}");
            }
        }
        assert!(is_finite(&tensor([1, 2])) && is_finite(&Tensor::zeros([0])));
        assert!(!is_finite(&tensor([1.0, f64::NAN])));
    }

    #[test]
    fn an_infinity_that_a_later_layer_hides_is_named() {
        let net = sequential![Linear::new(1, 1), ReLU, Sigmoid];
        no_grad(|| _ = net[0].parameters()[0].fill_(f32::MAX));
        let e = forward(&net, &tensor([[1e9]]).float()).unwrap_err();
        assert_eq!(e, "the output of layer 0 (Linear)");
    }

    #[test]
    fn weights_gradients_and_optimiser_state_are_named() {
        let net = sequential![Linear::new(1, 1)];
        let watch = Watch::new(&net);
        let mut optimizer = Adam::new(net.parameters(), 0.1);
        // The square of 1e30 overflows, so Adam's second average is infinite while weight and gradient are not.
        (net.forward(&tensor([[1e30]]).float()) * 1.0).sum().backward();
        assert_eq!(watch.gradients(), Ok(()));
        optimizer.step();
        assert_eq!(watch.state(&optimizer), Err("the optimizer's exp_avg_sq of 0.weight".into()));
        net.zero_grad();
        (net.forward(&tensor([[f32::INFINITY]])) * 1.0).sum().backward();
        assert_eq!(watch.gradients(), Err("the gradient of 0.weight".into()));
        no_grad(|| _ = net[0].parameters()[1].fill_(f32::NAN));
        assert_eq!(watch.state(&optimizer), Err("the weight 0.bias".into()));
    }
}
