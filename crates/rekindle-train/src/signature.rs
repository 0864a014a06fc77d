//! What a model must know about its data to be asked again. It is kept inside of the weights' file.

use crate::arrays::ArrayInput;
use crate::sets::Kind;
use rekindle_data::table::Encoder;
use rekindle_nn::StateDict;
use rekindle_tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// The name of the signature among the metadata of a safetensors file.
const KEY: &str = "rekindle.signature";

/// What goes in and what comes out of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What the targets are.
    pub kind: Kind,
    /// The names of the classes or labels; none for regression.
    pub classes: Vec<String>,
    /// What inputs are made from.
    pub input: Input,
}

/// What inputs are made from, with all that was learned from the training data for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// Numbers as they are, of so many for each sample in each dimension.
    Numbers(Vec<usize>),
    /// Rows of a table.
    Table(Box<Encoder>),
    /// Images.
    #[cfg(feature = "images")]
    Images(ImageInput),
    /// Arrays of numbers.
    Arrays(ArrayInput),
}

/// What images are turned into.
#[cfg(feature = "images")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Their size and channels.
    pub spec: rekindle_data::images::ImageSpec,
    /// What is taken off each channel; nothing if it is empty.
    pub mean: Vec<f64>,
    /// What each channel is divided by then.
    pub std: Vec<f64>,
    /// Whether each is a row of numbers.
    pub flatten: bool,
}

#[cfg(feature = "images")]
impl ImageInput {
    /// Decoded images as inputs, `[n, channels, rows, columns]` or `[n, numbers]`.
    pub fn tensor(&self, pixels: &rekindle_data::images::Pixels) -> Tensor {
        let x = pixels.normalised(&self.mean, &self.std);
        if self.flatten { x.flatten(1, -1) } else { x }
    }

    /// Inputs `[n, channels, rows, columns]` as pixels from 0 to 1 again.
    #[cfg(feature = "plot")]
    pub(crate) fn brightness(&self, x: &Tensor) -> Tensor {
        if self.mean.is_empty() && self.std.is_empty() {
            return x.clone();
        }
        let of = |values: &[f64], usual: f32| {
            let channel = |c: usize| values.get(c).map_or(usual, |&v| v as f32);
            let all: Vec<f32> = (0..self.spec.channels).map(channel).collect();
            Tensor::from_vec(all, [self.spec.channels, 1, 1])
        };
        (x * of(&self.std, 1.0) + of(&self.mean, 0.0)).clamp(0.0, 1.0)
    }
}

impl Input {
    /// The mean and the standard deviation of each number that is learned, if those that the net gives are standardised.
    pub(crate) fn units(&self) -> Units<'_> {
        match self {
            Input::Table(encoder) => encoder.target_scale(),
            Input::Arrays(input) => input.units.as_deref(),
            _ => None,
        }
    }

    /// Whether there is a number for each column or channel that needs one. (An encoder has looked at itself.)
    fn is_consistent(&self) -> bool {
        match self {
            Input::Numbers(_) | Input::Table(_) => true,
            #[cfg(feature = "images")]
            Input::Images(ImageInput { spec, mean, std, .. }) => {
                [mean, std].iter().all(|values| values.is_empty() || values.len() == spec.channels)
            }
            Input::Arrays(input) => input.is_consistent(),
        }
    }

    /// What it is, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Input::Numbers(shape) | Input::Arrays(ArrayInput { shape, .. }) => {
                format!("numbers of the shape {shape:?}")
            }
            Input::Table(encoder) => {
                let names: Vec<&str> = encoder.columns().iter().map(|c| c.name.as_str()).collect();
                format!("rows with the columns {}", names.join(", "))
            }
            #[cfg(feature = "images")]
            Input::Images(ImageInput { spec, .. }) => {
                let ([rows, columns], grey) = (spec.size, spec.channels == 1);
                let colour = if grey { "grey" } else { "colour" };
                format!("images, which are resized to {rows} x {columns} pixels in {colour}")
            }
        }
    }
}

impl Signature {
    /// Puts it into a file of weights.
    pub fn write_to(&self, weights: &mut StateDict) {
        weights.set_metadata(KEY, serde_json::to_string(self).expect("names and finite numbers"));
    }

    /// What each output is called: classes, labels, or the columns of the numbers that are learned.
    pub(crate) fn targets(&self, outputs: usize) -> Vec<String> {
        let columns = match &self.input {
            Input::Table(encoder) if self.kind == Kind::Numbers => {
                encoder.target().map(|t| t.columns.clone())
            }
            _ => None,
        };
        let names = columns.unwrap_or_else(|| self.classes.clone());
        (0..outputs).map(|i| names.get(i).cloned().unwrap_or_else(|| i.to_string())).collect()
    }

    /// What separates the labels of one sample.
    pub(crate) fn separator(&self) -> char {
        match &self.input {
            Input::Table(encoder) => encoder.target().and_then(|t| t.separator).unwrap_or('|'),
            _ => '|',
        }
    }

    /// What [`write_to`](Self::write_to) put there; none if the file has none.
    ///
    /// # Errors
    /// One line, if it is something else.
    pub fn read_from(weights: &StateDict) -> Result<Option<Signature>, String> {
        let text = weights.metadata(KEY);
        let read = |text| {
            let signature: Signature = serde_json::from_str(text)
                .map_err(|e| format!("damaged signature: {e}; train the model again"))?;
            let fits = signature.input.is_consistent();
            fits.then_some(signature).ok_or_else(|| {
                "damaged signature: its numbers do not go together; train the model again".into()
            })
        };
        text.map(read).transpose()
    }
}

/// The mean and the standard deviation of each number that is learned, where the net learns it standardised.
pub(crate) type Units<'a> = Option<&'a [(f64, f64)]>;

/// Standardised numbers in their own units, F64 `[n, numbers]`.
pub(crate) fn in_units(x: &Tensor, units: Units) -> Tensor {
    let Some(units) = units else { return x.clone() };
    let x = x.detach().to(DType::F64).reshape([x.size(0) as i64, -1]);
    let row = |values: Vec<f64>| Tensor::from_vec(values, units.len());
    let (mean, std) = units.iter().copied().unzip();
    x * row(std) + row(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_go_together_are_a_damaged_signature() {
        let read = |input: &str| {
            let mut weights = StateDict::new();
            weights.set_metadata(KEY, format!("{{\"kind\":\"classes\",\"classes\":[],\"input\":{input}}}"));
            Signature::read_from(&weights).map(|signature| signature.is_some())
        };
        let arrays = |mean: &str, units: &str| {
            read(&format!(
                "{{\"arrays\":{{\"shape\":[2],\"pixels\":false,\"flatten\":false,\"mean\":{mean},\"std\":[1,1],\"values\":[],\"units\":{units}}}}}"
            ))
        };
        assert_eq!(arrays("[0,0]", "null"), Ok(true));
        let refused = |read: Result<bool, String>| read.is_err_and(|e| e.starts_with("damaged signature"));
        assert!(
            refused(arrays("[0,0,0]", "null"))
                && refused(arrays("[0]", "null"))
                && refused(arrays("[0,0]", "[]"))
        );
        #[cfg(feature = "images")]
        {
            let images = |channels: u32, mean: &str| {
                read(&format!(
                    "{{\"images\":{{\"spec\":{{\"channels\":{channels},\"size\":[2,2]}},\"mean\":{mean},\"std\":[],\"flatten\":false}}}}"
                ))
            };
            assert_eq!(images(3, "[0,0,0]"), Ok(true));
            assert!(refused(images(2, "[]")) && refused(images(3, "[0]")));
        }
    }
}
