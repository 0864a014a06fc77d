//! Optimisers from a recipe's words: one line of a table for each.

use crate::word::{Word, build, word};
use rekindle_nn::optim::{Adadelta, Adagrad, Adam, AdamW, Adamax, Optimizer, RMSprop, SGD};
use rekindle_tensor::Tensor;

const ADAM: &[&str] = &["lr", "betas", "eps", "weight_decay", "amsgrad"];
const BETAS: (f64, f64) = (0.9, 0.999);

#[rustfmt::skip] // One line for each word.
const OPTIMIZERS: &[Word<Vec<Tensor>, Box<dyn Optimizer>>] = &[
    word("SGD", &["lr", "momentum", "dampening", "weight_decay", "nesterov"], |a, params| Ok(Box::new(
        SGD::new(params, a.rate("lr", 1e-3)?).momentum(a.number("momentum", 0.0)?)
            .dampening(a.number("dampening", 0.0)?).weight_decay(a.number("weight_decay", 0.0)?)
            .nesterov(a.flag("nesterov", false)?)))),
    word("Adam", ADAM, |a, params| Ok(Box::new(
        Adam::new(params, a.rate("lr", 1e-3)?).betas(a.pair("betas", BETAS)?).eps(a.number("eps", 1e-8)?)
            .weight_decay(a.number("weight_decay", 0.0)?).amsgrad(a.flag("amsgrad", false)?)))),
    word("AdamW", ADAM, |a, params| Ok(Box::new(
        AdamW::new(params, a.rate("lr", 1e-3)?).betas(a.pair("betas", BETAS)?).eps(a.number("eps", 1e-8)?)
            .weight_decay(a.number("weight_decay", 1e-2)?).amsgrad(a.flag("amsgrad", false)?)))),
    word("Adamax", &["lr", "betas", "eps", "weight_decay"], |a, params| Ok(Box::new(
        Adamax::new(params, a.rate("lr", 2e-3)?).betas(a.pair("betas", BETAS)?).eps(a.number("eps", 1e-8)?)
            .weight_decay(a.number("weight_decay", 0.0)?)))),
    word("RMSprop", &["lr", "alpha", "eps", "weight_decay", "momentum", "centered"], |a, params| Ok(Box::new(
        RMSprop::new(params, a.rate("lr", 1e-2)?).alpha(a.number("alpha", 0.99)?).eps(a.number("eps", 1e-8)?)
            .weight_decay(a.number("weight_decay", 0.0)?).momentum(a.number("momentum", 0.0)?)
            .centered(a.flag("centered", false)?)))),
    word("Adagrad", &["lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"], |a, params| Ok(Box::new(
        Adagrad::new(params, a.rate("lr", 1e-2)?).lr_decay(a.number("lr_decay", 0.0)?)
            .weight_decay(a.number("weight_decay", 0.0)?)
            .initial_accumulator_value(a.number("initial_accumulator_value", 0.0)?).eps(a.number("eps", 1e-10)?)))),
    word("Adadelta", &["lr", "rho", "eps", "weight_decay"], |a, params| Ok(Box::new(
        Adadelta::new(params, a.rate("lr", 1.0)?).rho(a.number("rho", 0.9)?).eps(a.number("eps", 1e-6)?)
            .weight_decay(a.number("weight_decay", 0.0)?)))),
];

/// Builds the optimiser of a recipe for the given parameters.
///
/// ```
/// use rekindle_nn::{Linear, Parameters};
/// let net = Linear::new(2, 1);
/// let optimizer = rekindle_train::build_optimizer("Adam(lr=0.01)", net.parameters()).unwrap();
/// assert_eq!(optimizer.lr(), 0.01);
/// ```
///
/// # Errors
/// One line that names what does not fit.
pub fn build_optimizer(text: &str, params: Vec<Tensor>) -> Result<Box<dyn Optimizer>, String> {
    if params.is_empty() {
        return Err(
            "net: it has no parameters to train; add a layer that has some, such as Linear(2, 1)".into()
        );
    }
    build("optimizer", OPTIMIZERS, text, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_nn::parameter;

    fn built(text: &str) -> Result<Box<dyn Optimizer>, String> {
        build_optimizer(text, vec![parameter(Tensor::ones([2]))])
    }

    #[test]
    fn every_optimizer_word_builds_with_and_without_its_options() {
        for word in OPTIMIZERS {
            assert!(built(word.name).is_ok(), "{}", word.name);
            assert_eq!(built(&format!("{}(0.25, weight_decay=0.1)", word.name)).unwrap().lr(), 0.25);
        }
    }

    #[test]
    fn positional_arguments_have_pytorchs_order() {
        // torch.optim.Adagrad(params, lr, lr_decay, weight_decay, initial_accumulator_value, eps)
        let p = parameter(Tensor::ones([1]));
        let mut optimizer = build_optimizer("Adagrad(1, 0, 0, 3)", vec![p.clone()]).unwrap();
        p.sum().backward();
        optimizer.step();
        assert_eq!(p.to_vec::<f32>(), [0.5], "1 - 1 / sqrt(3 + 1)");
    }

    #[test]
    fn mistakes_are_named() {
        let says = |text: &str| built(text).err().unwrap();
        assert_eq!(says("Adm"), "optimizer: there is no `Adm`; did you mean `Adam`?");
        assert_eq!(says("SGD(lr=-1)"), "optimizer: `SGD(lr=-1)`: lr must be above 0, not -1");
        assert!(says("Adam(0.1, 0.9)").contains("betas must be a pair such as (0.9, 0.999), not 0.9"));
        assert!(build_optimizer("SGD", Vec::new()).err().unwrap().starts_with("net: it has no parameters"));
    }
}
