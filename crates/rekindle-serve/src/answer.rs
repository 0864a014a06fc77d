//! What the net said, as JSON.

use crate::batch::Answer;
use rekindle_train::{Prediction, Said};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

/// The answer to `POST /predict`: `{"model": "iris", "predictions": [{"predicted": .., "probabilities": {..}}]}`.
pub(crate) fn json(model: &str, answer: &Answer) -> Vec<u8> {
    serde_json::to_vec(&Whole { model, answer }).expect("names and numbers")
}

struct Whole<'a> {
    model: &'a str,
    answer: &'a Answer,
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut whole = serializer.serialize_struct("Answer", 2)?;
        whole.serialize_field("model", self.model)?;
        whole.serialize_field("predictions", &Samples(self.answer))?;
        whole.end()
    }
}

struct Samples<'a>(&'a Answer);

impl Serialize for Samples<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer { prediction, samples } = self.0;
        let mut list = serializer.serialize_seq(Some(samples.len()))?;
        for i in samples.clone() {
            list.serialize_element(&Sample(prediction, i))?;
        }
        list.end()
    }
}

struct Sample<'a>(&'a Prediction, usize);

impl Serialize for Sample<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Sample(prediction, i) = self;
        let (names, values) = (prediction.names(), prediction.written(*i));
        let mut sample = serializer.serialize_map(None)?;
        match prediction.said(*i) {
            Said::Numbers => {
                match values.as_slice() {
                    [one] => sample.serialize_entry("predicted", one)?,
                    _ => sample.serialize_entry("predicted", &Named(names, &values))?,
                }
                return sample.end();
            }
            Said::Class(name) => sample.serialize_entry("predicted", name)?,
            Said::Labels(names) => sample.serialize_entry("predicted", &names)?,
        }
        sample.serialize_entry("probabilities", &Named(names, &values))?;
        sample.end()
    }
}

/// Numbers by name, in the order of the model.
struct Named<'a>(&'a [String], &'a [f32]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}
