//! What a model must know about its data to be asked again. It is kept inside of the weights' file.

use crate::sets::Kind;
use rekindle_data::table::Encoder;
use rekindle_nn::StateDict;
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
        let read = |text| serde_json::from_str(text).map_err(|e| format!("damaged signature: {e}"));
        text.map(read).transpose()
    }
}
