//! Nets and optimisers from a recipe's words: one line of a table for each.

use crate::call::{Arguments, Call, nearest};
use rekindle_nn::optim::{Adagrad, Adam, AdamW, Optimizer, RMSprop, SGD};
use rekindle_nn::{self as nn, Module, Sequential};
use rekindle_tensor::Tensor;

/// A word that recipes may use: its name, PyTorch's parameter names in PyTorch's order, and how to build it.
struct Word<B> {
    name: &'static str,
    parameters: &'static [&'static str],
    build: B,
}

type BuildLayer = fn(&Arguments<'_>) -> Result<Box<dyn Module>, String>;
type BuildOptimizer = fn(&Arguments<'_>, Vec<Tensor>) -> Result<Box<dyn Optimizer>, String>;

const fn layer(
    name: &'static str,
    parameters: &'static [&'static str],
    build: BuildLayer,
) -> Word<BuildLayer> {
    Word { name, parameters, build }
}

const fn optimizer(
    name: &'static str,
    parameters: &'static [&'static str],
    build: BuildOptimizer,
) -> Word<BuildOptimizer> {
    Word { name, parameters, build }
}

const POOL: &[&str] = &["kernel_size", "stride", "padding"];
const CONV: &[&str] =
    &["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"];

#[rustfmt::skip] // One line for each word.
const LAYERS: &[Word<BuildLayer>] = &[
    layer("Linear", &["in_features", "out_features", "bias"], |a| Ok(Box::new(
        nn::Linear::new(a.size("in_features")?, a.size("out_features")?).bias(a.flag("bias", true)?)))),
    layer("Conv2d", CONV, |a| Ok(Box::new(
        nn::Conv2d::new(a.size("in_channels")?, a.size("out_channels")?, a.size("kernel_size")?)
            .stride(a.count("stride", 1)?.max(1)).padding(a.count("padding", 0)?)
            .dilation(a.count("dilation", 1)?.max(1)).groups(a.count("groups", 1)?.max(1)).bias(a.flag("bias", true)?)))),
    layer("MaxPool2d", POOL, |a| Ok(Box::new(
        nn::MaxPool2d::new(a.size("kernel_size")?).stride(a.count("stride", a.size("kernel_size")?)?.max(1))
            .padding(a.count("padding", 0)?)))),
    layer("AvgPool2d", POOL, |a| Ok(Box::new(
        nn::AvgPool2d::new(a.size("kernel_size")?).stride(a.count("stride", a.size("kernel_size")?)?.max(1))
            .padding(a.count("padding", 0)?)))),
    layer("AdaptiveAvgPool2d", &["output_size"], |a| Ok(Box::new(nn::AdaptiveAvgPool2d::new(a.size("output_size")?)))),
    layer("BatchNorm1d", &["num_features"], |a| Ok(Box::new(nn::BatchNorm1d::new(a.size("num_features")?)))),
    layer("BatchNorm2d", &["num_features"], |a| Ok(Box::new(nn::BatchNorm2d::new(a.size("num_features")?)))),
    layer("LayerNorm", &["normalized_shape"], |a| Ok(Box::new(nn::LayerNorm::new(a.size("normalized_shape")?)))),
    layer("Dropout", &["p"], |a| Ok(Box::new(nn::Dropout::new(a.probability("p", 0.5)?)))),
    layer("Dropout2d", &["p"], |a| Ok(Box::new(nn::Dropout2d::new(a.probability("p", 0.5)?)))),
    layer("Flatten", &[], |_| Ok(Box::new(nn::Flatten::new()))),
    layer("ReLU", &[], |_| Ok(Box::new(nn::ReLU))),
    layer("LeakyReLU", &["negative_slope"], |a| Ok(Box::new(nn::LeakyReLU::new(a.number("negative_slope", 0.01)?)))),
    layer("GELU", &[], |_| Ok(Box::new(nn::GELU::new()))),
    layer("SiLU", &[], |_| Ok(Box::new(nn::SiLU))),
    layer("Sigmoid", &[], |_| Ok(Box::new(nn::Sigmoid))),
    layer("Tanh", &[], |_| Ok(Box::new(nn::Tanh))),
    layer("Softmax", &["dim"], |a| Ok(Box::new(nn::Softmax::new(a.number("dim", 1.0)? as isize)))),
    layer("LogSoftmax", &["dim"], |a| Ok(Box::new(nn::LogSoftmax::new(a.number("dim", 1.0)? as isize)))),
    layer("Identity", &[], |_| Ok(Box::new(nn::Identity))),
];

#[rustfmt::skip] // One line for each word.
const OPTIMIZERS: &[Word<BuildOptimizer>] = &[
    optimizer("SGD", &["lr", "momentum", "dampening", "weight_decay", "nesterov"], |a, params| Ok(Box::new(
        SGD::new(params, a.rate("lr", 1e-3)?).momentum(a.number("momentum", 0.0)?)
            .dampening(a.number("dampening", 0.0)?).weight_decay(a.number("weight_decay", 0.0)?)
            .nesterov(a.flag("nesterov", false)?)))),
    optimizer("Adam", &["lr", "beta1", "beta2", "eps", "weight_decay", "amsgrad"], |a, params| Ok(Box::new(
        Adam::new(params, a.rate("lr", 1e-3)?).betas((a.number("beta1", 0.9)?, a.number("beta2", 0.999)?))
            .eps(a.number("eps", 1e-8)?).weight_decay(a.number("weight_decay", 0.0)?).amsgrad(a.flag("amsgrad", false)?)))),
    optimizer("AdamW", &["lr", "beta1", "beta2", "eps", "weight_decay", "amsgrad"], |a, params| Ok(Box::new(
        AdamW::new(params, a.rate("lr", 1e-3)?).betas((a.number("beta1", 0.9)?, a.number("beta2", 0.999)?))
            .eps(a.number("eps", 1e-8)?).weight_decay(a.number("weight_decay", 1e-2)?).amsgrad(a.flag("amsgrad", false)?)))),
    optimizer("RMSprop", &["lr", "alpha", "eps", "weight_decay", "momentum", "centered"], |a, params| Ok(Box::new(
        RMSprop::new(params, a.rate("lr", 1e-2)?).alpha(a.number("alpha", 0.99)?).eps(a.number("eps", 1e-8)?)
            .weight_decay(a.number("weight_decay", 0.0)?).momentum(a.number("momentum", 0.0)?)
            .centered(a.flag("centered", false)?)))),
    optimizer("Adagrad", &["lr", "lr_decay", "weight_decay", "eps"], |a, params| Ok(Box::new(
        Adagrad::new(params, a.rate("lr", 1e-2)?).lr_decay(a.number("lr_decay", 0.0)?)
            .weight_decay(a.number("weight_decay", 0.0)?).eps(a.number("eps", 1e-10)?)))),
];

/// Builds the net of a recipe; the initial weights are drawn in the order of the layers.
///
/// # Errors
/// One line that names the layer and what does not fit.
pub fn build_net(layers: &[String]) -> Result<Sequential, String> {
    if layers.is_empty() {
        return Err("net: there are no layers; list them as in net = [\"Linear(2, 1)\"]".into());
    }
    let build = |text: &String| {
        let call = Call::parse(text).map_err(|e| format!("net: {e}"))?;
        let word = find("net", LAYERS, &call)?;
        call.arguments(word.parameters).and_then(|a| (word.build)(&a)).map_err(|e| format!("net: {e}"))
    };
    layers.iter().map(build).collect::<Result<Vec<_>, _>>().map(Sequential::from)
}

/// Builds the optimiser of a recipe for the given parameters.
///
/// # Errors
/// One line that names what does not fit.
pub fn build_optimizer(text: &str, params: Vec<Tensor>) -> Result<Box<dyn Optimizer>, String> {
    let call = Call::parse(text).map_err(|e| format!("optimizer: {e}"))?;
    let word = find("optimizer", OPTIMIZERS, &call)?;
    call.arguments(word.parameters)
        .and_then(|a| (word.build)(&a, params))
        .map_err(|e| format!("optimizer: {e}"))
}

fn find<'a, B>(what: &str, words: &'a [Word<B>], call: &Call) -> Result<&'a Word<B>, String> {
    words.iter().find(|w| w.name == call.name).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|w| w.name).collect();
        format!("{what}: there is no `{}`{}", call.name, nearest(&call.name, &names))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_word_builds_with_its_first_arguments() {
        for word in LAYERS {
            let text = match word.name {
                "Linear" => "Linear(4, 2)".to_string(),
                "Conv2d" => "Conv2d(1, 2, 3)".to_string(),
                name if word.parameters.is_empty() => name.to_string(),
                name if name.starts_with("Dropout") || name == "LeakyReLU" => format!("{name}(0.5)"),
                name => format!("{name}(2)"),
            };
            assert_eq!(
                build_net(std::slice::from_ref(&text)).map(|n| n.len()).map_err(|e| format!("{text}: {e}")),
                Ok(1)
            );
        }
    }

    #[test]
    fn unknown_words_get_the_nearest_name() {
        let e = build_net(&["Linaer(2, 1)".into()]).err().unwrap();
        assert_eq!(e, "net: there is no `Linaer`; did you mean `Linear`?");
        let e = build_optimizer("Adm", Vec::new()).err().unwrap();
        assert_eq!(e, "optimizer: there is no `Adm`; did you mean `Adam`?");
        let e = build_optimizer("SGD(lr=-1)", Vec::new()).err().unwrap();
        assert_eq!(e, "optimizer: `SGD(lr=-1)`: lr must be above 0, not -1");
    }
}
