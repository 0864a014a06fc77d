//! Whether net, loss and data fit one another, found out before anything is trained.

use crate::error::Error;
use crate::layers::output_numbers;
use crate::objective::Objective;
use crate::part::{Data, Part};
use crate::recipe::Recipe;
use crate::signature::Input;
use crate::trainer::PIECE;
use rekindle_nn::loss::Decision;
use rekindle_nn::{Module, Parameters, Sequential};
use rekindle_tensor::random::{self, Generator};
use rekindle_tensor::{Tensor, check, no_grad};

/// The most numbers that the layers of a net may give in one step together: 8 GiB in f32.
const MOST_ACTIVATIONS: u128 = 1 << 31;

/// Holds net, loss and data against each other: one sample in evaluation mode, the last batch in training mode, and
/// all targets. The default generator and the net's buffers are afterwards as they were.
pub(crate) fn check_fit(
    recipe: &Recipe,
    net: &Sequential,
    objective: &Objective,
    data: &Data,
) -> Result<(), Error> {
    last_word(recipe)?;
    embedded(recipe, data)?;
    let outputs = one_sample(recipe, net, data)?;
    number_of_outputs(recipe, objective, &outputs, data)?;
    last_batch(recipe, net, &data.train)?;
    for (name, part) in data.parts() {
        targets(objective, &outputs, part)
            .map_err(|e| Error::Recipe(format!("loss: it does not fit the net and the {name} data: {e}")))?;
    }
    Ok(())
}

/// The outputs for one sample. Layer by layer, so that the sizes are known before memory is taken.
fn one_sample(recipe: &Recipe, net: &Sequential, data: &Data) -> Result<Tensor, Error> {
    net.eval();
    let train = &data.train;
    let mut x = train.inputs(0, 1);
    let shape = train.sample_shape();
    let rows = recipe.batch_size.unwrap_or(usize::MAX).min(train.len());
    let (mut all, mut widest) = (0, 0);
    for (i, (layer, text)) in net.iter().zip(&recipe.net).enumerate() {
        let numbers = output_numbers(text, x.shape());
        (all, widest) = (all + numbers, numbers.max(widest));
        // A pass that is recorded keeps all outputs.
        let piece = PIECE.min(data.parts().map(|(_, part)| part.len()).max().unwrap_or(0));
        let evaluated = all.max(2 * widest) * piece as u128;
        if (all * rows as u128).max(evaluated) > MOST_ACTIVATIONS {
            return Err(Error::Recipe(format!(
                "net: with layer {i}, `{text}`, {rows} samples give more than {MOST_ACTIVATIONS} numbers in one step; use smaller layers or a smaller batch_size"
            )));
        }
        x = check(|| no_grad(|| layer.forward(&x))).map_err(|e| {
            Error::Recipe(format!(
                "net: layer {i}, `{text}`, does not fit the data, whose samples have the shape {shape:?}: {e}"
            ))
        })?;
    }
    Ok(x)
}

/// Whether columns that are indices of categories are embedded: as numbers they would say nothing.
fn embedded(recipe: &Recipe, data: &Data) -> Result<(), Error> {
    let Input::Table(encoder) = &data.input else { return Ok(()) };
    let (columns, sizes): (Vec<usize>, Vec<usize>) = encoder.embeddings().into_iter().unzip();
    if columns.is_empty() || recipe.net.iter().any(|layer| layer.trim_start().starts_with("EmbedColumns")) {
        return Ok(());
    }
    let names = encoder.feature_names();
    let named: Vec<&str> = columns.iter().map(|&c| names[c].as_str()).collect();
    let dims: Vec<usize> = sizes.iter().map(|size| size.div_ceil(2).min(16)).collect();
    Err(Error::Recipe(format!(
        "net: {} of the data is the index of a category; begin the net with \"EmbedColumns({columns:?}, {sizes:?}, {dims:?})\"",
        named.join(", ")
    )))
}

/// Whether the net's last layer gives what the loss reads: logits, probabilities or their logarithms.
fn last_word(recipe: &Recipe) -> Result<(), Error> {
    let name = |text: &str| text.split('(').next().unwrap_or_default().trim().to_string();
    let (loss, last) = (name(&recipe.loss), recipe.net.last().map(|text| name(text)).unwrap_or_default());
    let cure = match (loss.as_str(), last.as_str()) {
        ("BCEWithLogitsLoss", "Sigmoid") => {
            "which applies the sigmoid itself; leave it out of the net, or take BCELoss"
        }
        ("BCEWithLogitsLoss" | "CrossEntropyLoss", "Softmax") => {
            "which applies such a function itself; leave it out of the net"
        }
        ("CrossEntropyLoss", "Sigmoid") => "which applies the softmax itself; leave it out of the net",
        ("BCELoss", "Sigmoid" | "Softmax") | ("NLLLoss", "LogSoftmax") => return Ok(()),
        ("BCELoss", _) => {
            "which reads probabilities; end the net with \"Sigmoid\", or take BCEWithLogitsLoss"
        }
        ("NLLLoss", _) => {
            "which reads logarithms of probabilities; end the net with \"LogSoftmax(1)\", or take CrossEntropyLoss"
        }
        _ => return Ok(()),
    };
    Err(Error::Recipe(format!("net: it ends with `{last}` before {loss}, {cure}")))
}

/// As many outputs as the loss needs for the targets, and no more: others would be classes that do not exist.
fn number_of_outputs(
    recipe: &Recipe,
    objective: &Objective,
    outputs: &Tensor,
    data: &Data,
) -> Result<(), Error> {
    let y = &data.train.y;
    let (needed, why) = match objective.decision {
        Decision::Largest => (data.classes.len(), "one for each class"),
        _ => (y.shape().get(1).copied().unwrap_or(1), "one for each target"),
    };
    let given = outputs.numel();
    if outputs.dim() != 2 || given == needed {
        return Ok(()); // Of other shapes the loss says what it needs.
    }
    let loss = &recipe.loss;
    Err(Error::Recipe(format!(
        "net: it gives {given} numbers for each sample, and {loss} needs {needed} here, {why}; end the net with {needed} outputs"
    )))
}

/// The last batch may be smaller than the others: batch normalisation cannot train on one sample.
fn last_batch(recipe: &Recipe, net: &Sequential, train: &Part) -> Result<(), Error> {
    let rows = match recipe.batch_size.map(|size| (size, train.len() % size)) {
        None => train.len().min(2),
        Some((size, 0)) => size,
        Some((_, rest)) => rest,
    };
    let buffers: Vec<(Tensor, Tensor)> =
        net.named_buffers().into_iter().map(|(_, b)| (b.clone(), b.copy())).collect();
    net.train();
    let x = train.inputs(train.len() - rows, rows);
    let fits = random::with_generator(&mut Generator::seeded(0), || check(|| no_grad(|| net.forward(&x))));
    buffers.iter().for_each(|(buffer, before)| _ = buffer.copy_(before));
    fits.map(drop).map_err(|e| {
        Error::Recipe(format!(
            "net: it does not fit the last batch, which has {rows} of the {} training samples: {e}",
            train.len()
        ))
    })
}

/// All targets of a part, against outputs that any loss takes: halves.
pub(crate) fn targets(objective: &Objective, outputs: &Tensor, part: &Part) -> Result<(), String> {
    let mut shape = outputs.shape().to_vec();
    for start in (0..part.len()).step_by(PIECE) {
        shape[0] = PIECE.min(part.len() - start);
        let (halves, y) =
            (Tensor::full_of(shape.as_slice(), 0.5, outputs.dtype()), part.y.narrow(0, start, shape[0]));
        check(|| objective.loss.forward(&halves, &y))?;
    }
    Ok(())
}
