//! Nets from a recipe's words: one line of a table for each layer.

use crate::call::Call;
use crate::word::{Word, build, word};
use rekindle_nn::{self as nn, Module, Parameters, Sequential};

const POOL: &[&str] = &["kernel_size", "stride", "padding"];
const CONV: &[&str] =
    &["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"];

#[rustfmt::skip] // One line for each word.
const LAYERS: &[Word<(), Box<dyn Module>>] = &[
    word("Linear", &["in_features", "out_features", "bias"], |a, ()| {
        let [inputs, outputs] = a.sizes(["in_features", "out_features"])?;
        Ok(Box::new(nn::Linear::new(inputs, outputs).bias(a.flag("bias", true)?)))
    }),
    word("Conv2d", CONV, |a, ()| {
        let [inputs, outputs, kernel, _] = a.sizes(["in_channels", "out_channels", "kernel_size", "kernel_size"])?;
        Ok(Box::new(nn::Conv2d::new(inputs, outputs, kernel)
            .stride(a.positive("stride", 1)?).padding(a.count("padding", 0)?)
            .dilation(a.positive("dilation", 1)?).groups(a.positive("groups", 1)?).bias(a.flag("bias", true)?)))
    }),
    word("MaxPool2d", POOL, |a, ()| Ok(Box::new(nn::MaxPool2d::new(a.size("kernel_size")?)
        .stride(a.positive("stride", a.size("kernel_size")?)?).padding(a.count("padding", 0)?)))),
    word("AvgPool2d", POOL, |a, ()| Ok(Box::new(nn::AvgPool2d::new(a.size("kernel_size")?)
        .stride(a.positive("stride", a.size("kernel_size")?)?).padding(a.count("padding", 0)?)))),
    word("AdaptiveAvgPool2d", &["output_size"], |a, ()| Ok(Box::new(nn::AdaptiveAvgPool2d::new(a.size("output_size")?)))),
    word("BatchNorm1d", &["num_features"], |a, ()| Ok(Box::new(nn::BatchNorm1d::new(a.size("num_features")?)))),
    word("BatchNorm2d", &["num_features"], |a, ()| Ok(Box::new(nn::BatchNorm2d::new(a.size("num_features")?)))),
    word("LayerNorm", &["normalized_shape"], |a, ()| Ok(Box::new(nn::LayerNorm::new(a.size("normalized_shape")?)))),
    word("Dropout", &["p"], |a, ()| Ok(Box::new(nn::Dropout::new(a.probability("p", 0.5)?)))),
    word("Dropout2d", &["p"], |a, ()| Ok(Box::new(nn::Dropout2d::new(a.probability("p", 0.5)?)))),
    word("Flatten", &[], |_, ()| Ok(Box::new(nn::Flatten::new()))),
    word("ReLU", &[], |_, ()| Ok(Box::new(nn::ReLU))),
    word("LeakyReLU", &["negative_slope"], |a, ()| Ok(Box::new(nn::LeakyReLU::new(a.number("negative_slope", 0.01)?)))),
    word("GELU", &[], |_, ()| Ok(Box::new(nn::GELU::new()))),
    word("SiLU", &[], |_, ()| Ok(Box::new(nn::SiLU))),
    word("Sigmoid", &[], |_, ()| Ok(Box::new(nn::Sigmoid))),
    word("Tanh", &[], |_, ()| Ok(Box::new(nn::Tanh))),
    word("Softmax", &["dim"], |a, ()| Ok(Box::new(nn::Softmax::new(a.dim("dim", 1)?)))),
    word("LogSoftmax", &["dim"], |a, ()| Ok(Box::new(nn::LogSoftmax::new(a.dim("dim", 1)?)))),
    word("EmbedColumns", &["columns", "sizes", "dims"], |a, ()| {
        let [columns, sizes, dims] = [a.list("columns")?, a.list("sizes")?, a.list("dims")?];
        let numbers = sizes.iter().zip(&dims).try_fold(0usize, |all, (size, &dim)| all.checked_add(size.checked_mul(dim)?));
        a.within_limit(numbers, || "all sizes x dims".into())?;
        Ok(Box::new(nn::EmbedColumns::new(&columns, &sizes, &dims)))
    }),
    word("Identity", &[], |_, ()| Ok(Box::new(nn::Identity))),
];

/// The most weights that the net of a recipe may have: 1 GiB in f32.
const MOST_WEIGHTS: usize = 1 << 28;

/// Builds the net of a recipe; the initial weights are drawn in the order of the layers.
///
/// ```
/// let net = rekindle_train::build_net(&["Linear(2, 10)".into(), "ReLU".into(), "Linear(10, 1)".into()]).unwrap();
/// assert_eq!(net.len(), 3);
/// let e = rekindle_train::build_net(&["Linaer(2, 1)".into()]).err().unwrap();
/// assert_eq!(e, "net: there is no `Linaer`; did you mean `Linear`?");
/// ```
///
/// # Errors
/// One line that names the layer and what does not fit.
pub fn build_net(layers: &[String]) -> Result<Sequential, String> {
    if layers.is_empty() {
        return Err("net: there are no layers; list them as in net = [\"Linear(2, 1)\"]".into());
    }
    let (mut net, mut weights) = (Vec::new(), 0);
    for text in layers {
        let layer = build("net", LAYERS, text, ())?;
        weights += layer.num_parameters();
        if weights > MOST_WEIGHTS {
            return Err(format!(
                "net: with `{text}` it has more than {MOST_WEIGHTS} weights, the most of a recipe"
            ));
        }
        net.push(layer);
    }
    Ok(Sequential::from(net))
}

/// How many numbers the layer `text` gives for an input, at most. Only these words can give many more than they take.
pub(crate) fn output_numbers(text: &str, input: &[usize]) -> u128 {
    let product = |sizes: &[usize]| sizes.iter().map(|&n| n as u128).product::<u128>();
    let grown = |word: &Word<(), Box<dyn Module>>, call: &Call| {
        let a = call.arguments(word.parameters).ok()?;
        let of = |name: &str| a.count(name, 0).ok().map(|n| n as u128);
        match (word.name, input) {
            ("Linear", [rows @ .., _]) => Some(product(rows) * of("out_features")?),
            ("AdaptiveAvgPool2d", [n, c, ..]) => Some(product(&[*n, *c]) * of("output_size")?.pow(2)),
            ("Conv2d" | "MaxPool2d" | "AvgPool2d", [n, c, h, w]) => {
                let channels = of("out_channels").filter(|&c| c > 0).unwrap_or(*c as u128);
                let padded = |size: usize| Some(size as u128 + 2 * of("padding")?);
                Some(*n as u128 * channels * padded(*h)? * padded(*w)?)
            }
            _ => None,
        }
    };
    let call = Call::parse(text).ok();
    let word =
        call.as_ref().and_then(|call| LAYERS.iter().find(|word| word.name == call.name).zip(Some(call)));
    word.and_then(|(word, call)| grown(word, call)).unwrap_or(product(input))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> String {
        build_net(&[text.to_string()]).err().unwrap()
    }

    #[test]
    fn every_layer_word_builds_with_its_first_arguments() {
        for word in LAYERS {
            let text = match word.name {
                "Linear" => "Linear(4, 2)".to_string(),
                "Conv2d" => "Conv2d(1, 2, 3)".to_string(),
                "EmbedColumns" => "EmbedColumns([0], [3], [2])".to_string(),
                name if word.parameters.is_empty() => name.to_string(),
                name if name.starts_with("Dropout") || name == "LeakyReLU" => format!("{name}(0.5)"),
                name if name.ends_with("Softmax") => format!("{name}(-1)"),
                name => format!("{name}(2)"),
            };
            assert_eq!(
                build_net(std::slice::from_ref(&text)).map(|n| n.len()).map_err(|e| format!("{text}: {e}")),
                Ok(1)
            );
        }
    }

    #[test]
    fn every_layer_word_is_a_layer_that_interchange_looks_at() {
        let known: Vec<String> = nn::samples().iter().map(|sample| sample.layer.type_name()).collect();
        let unknown: Vec<&str> =
            LAYERS.iter().map(|w| w.name).filter(|n| !known.iter().any(|k| k == n)).collect();
        assert!(unknown.is_empty(), "say what they are in ONNX, and add them to samples(): {unknown:?}");
    }

    #[test]
    fn options_that_no_layer_can_have_are_errors_not_other_options() {
        assert!(says("Conv2d(1, 2, 3, stride=0)").contains("stride must be a whole number from 1"));
        assert!(says("Conv2d(1, 2, 3, dilation=0)").contains("dilation must be a whole number from 1"));
        assert!(says("Conv2d(1, 2, 3, groups=0)").contains("groups must be a whole number from 1"));
        assert!(says("MaxPool2d(2, stride=0)").contains("stride must be a whole number from 1"));
        assert!(says("Softmax(0.7)").contains("dim must be a dimension such as 1 or -1, not 0.7"));
        let groups = says("Conv2d(4, 6, 3, groups=4)");
        assert!(groups.contains("4 groups do not divide 4 input and 6 output channels"), "{groups}");
    }

    #[test]
    fn the_sizes_of_outputs_are_known_before_they_are_computed() {
        assert_eq!(output_numbers("Linear(784, 32)", &[5, 784]), 5 * 32);
        assert_eq!(output_numbers("Conv2d(1, 64, 5, padding=2)", &[2, 1, 28, 28]), 2 * 64 * 32 * 32);
        assert_eq!(output_numbers("MaxPool2d(3, padding=1)", &[2, 4, 8, 8]), 2 * 4 * 10 * 10);
        assert_eq!(output_numbers("AdaptiveAvgPool2d(30000000)", &[2, 4, 8, 8]), 8 * 30_000_000u128.pow(2));
        assert_eq!(output_numbers("ReLU", &[2, 4]), 8);
    }

    #[test]
    fn nets_that_do_not_fit_in_memory_are_errors() {
        assert!(says("Linear(999999999, 999999999)").contains("whole number from 1 to 134217728"));
        assert!(says("Linear(100000, 100000)").contains("more than 134217728 numbers"));
        assert!(says("Conv2d(1000, 1000, 1000)").contains("more than 134217728 numbers"));
    }
}
