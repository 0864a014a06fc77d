//! Numbers that are not finite, found where they first appear.

use rekindle_nn::optim::Optimizer;
use rekindle_nn::{Parameters, Sequential};
use rekindle_tensor::Tensor;

/// An error that names the tensor if it is not finite.
pub(crate) fn finite(name: impl FnOnce() -> String, x: &Tensor) -> Result<(), String> {
    if x.all_finite() { Ok(()) } else { Err(name()) }
}

/// The net's output; every layer's output is checked, because a later layer may hide an infinity (the sigmoid of
/// infinity is 1).
pub(crate) fn forward(net: &Sequential, x: &Tensor, look: Look) -> Result<Tensor, String> {
    let mut x = x.clone();
    for (i, layer) in net.iter().enumerate() {
        x = layer.forward(&x);
        look(&|| format!("the output of layer {i} ({})", layer.type_name()), &x)?;
    }
    Ok(x)
}

/// Who looks whether a tensor of a name is finite: at once, or on a device and later.
pub(crate) type Look<'a> = &'a mut dyn FnMut(&dyn Fn() -> String, &Tensor) -> Result<(), String>;

/// Looks at once.
pub(crate) fn at_once(name: &dyn Fn() -> String, x: &Tensor) -> Result<(), String> {
    finite(name, x)
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

    /// The gradients that there are, with their names.
    pub(crate) fn all_gradients(&self) -> Vec<(String, Tensor)> {
        let named = |(name, p): &(String, Tensor)| Some((format!("the gradient of {name}"), p.grad()?));
        self.parameters.iter().filter_map(named).collect()
    }

    /// The weights and buffers, with their names.
    pub(crate) fn all_weights(&self) -> Vec<(String, Tensor)> {
        let all = self.parameters.iter().chain(&self.buffers);
        all.map(|(name, t)| (format!("the weight {name}"), t.clone())).collect()
    }

    /// Checks what the passes forward and backward have changed, before it is used: buffers and gradients.
    pub(crate) fn passes(&self) -> Result<(), String> {
        self.buffers()?;
        self.parameters.iter().try_for_each(|(name, p)| match p.grad() {
            Some(grad) => finite(|| format!("the gradient of {name}"), &grad),
            None => Ok(()),
        })
    }

    /// Checks every weight that is trained.
    pub(crate) fn weights(&self) -> Result<(), String> {
        self.parameters.iter().try_for_each(|(name, t)| finite(|| format!("the weight {name}"), t))
    }

    /// Checks what is not trained and saved nevertheless, such as running averages.
    pub(crate) fn buffers(&self) -> Result<(), String> {
        self.buffers.iter().try_for_each(|(name, t)| finite(|| format!("the weight {name}"), t))
    }

    /// Checks what an update has changed: weights and the optimiser's state.
    pub(crate) fn update(&self, optimizer: &dyn Optimizer) -> Result<(), String> {
        self.weights()?;
        if optimizer.state_is_finite() {
            return Ok(());
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
    fn an_infinity_that_a_later_layer_hides_is_named() {
        let net = sequential![Linear::new(1, 1), ReLU, Sigmoid];
        no_grad(|| _ = net[0].parameters()[0].fill_(f32::MAX));
        let e = forward(&net, &tensor([[1e9]]).float(), &mut at_once).unwrap_err();
        assert_eq!(e, "the output of layer 0 (Linear)");
    }

    #[test]
    fn weights_gradients_and_optimiser_state_are_named() {
        let net = sequential![Linear::new(1, 1)];
        let watch = Watch::new(&net);
        let mut optimizer = Adam::new(net.parameters(), 0.1);
        // The square of 1e30 overflows, so Adam's second average is infinite while weight and gradient are not.
        (net.forward(&tensor([[1e30]]).float()) * 1.0).sum().backward();
        assert_eq!(watch.passes(), Ok(()));
        optimizer.step();
        assert_eq!(watch.update(&optimizer), Err("the optimizer's exp_avg_sq of 0.weight".into()));
        net.zero_grad();
        (net.forward(&tensor([[f32::INFINITY]])) * 1.0).sum().backward();
        assert_eq!(watch.passes(), Err("the gradient of 0.weight".into()));
        no_grad(|| _ = net[0].parameters()[1].fill_(f32::NAN));
        assert_eq!(watch.update(&optimizer), Err("the weight 0.bias".into()));
    }
}
