//! The Open Inference Protocol, version 2, over HTTP: <https://github.com/kserve/open-inference-protocol>.

use crate::batch::Answer;
use crate::body::{cell_text, count, encode, from_base64, json as read_json, tensor, wrong_json};
use crate::cell::{Cell, Cells};
use crate::limits::Limits;
use crate::nested::Nested;
use crate::problem::Problem;
use rekindle_data::table::{Encoder, Learned};
use rekindle_tensor::Tensor;
use rekindle_train::{Input, Kind, Model, Said};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::marker::PhantomData;

/// The tensor of a model that takes numbers.
const NUMBERS: &str = "x";
/// The tensor of a model that takes images: PNG or JPEG files in base64.
const IMAGE: &str = "image";
/// The outputs.
const PREDICTED: &str = "predicted";
const PROBABILITIES: &str = "probabilities";

/// `GET /v2/models/NAME`.
pub(crate) fn metadata(model: &Model, name: &str, outputs: &[String]) -> Value {
    let signature = model.signature.as_ref();
    let tensor = |name: &str, datatype: &str, shape: &[i64]| {
        let shape = [&[-1], shape].concat();
        json!({ "name": name, "datatype": datatype, "shape": shape })
    };
    let numbers = |shape: &[usize]| {
        let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        vec![tensor(NUMBERS, "FP32", &shape)]
    };
    let inputs = match signature.map(|signature| &signature.input) {
        Some(Input::Table(encoder)) => {
            let of = |column: &rekindle_data::table::ColumnEncoder| {
                tensor(&column.name, datatype(&column.learned), &[])
            };
            encoder.columns().iter().map(of).collect()
        }
        Some(Input::Images(_)) => vec![tensor(IMAGE, "BYTES", &[])],
        Some(Input::Numbers(shape)) => numbers(shape),
        Some(Input::Arrays(input)) => numbers(&input.shape),
        None => Vec::new(),
    };
    let width = [outputs.len() as i64];
    let probabilities = tensor(PROBABILITIES, "FP32", &width);
    let outputs = match signature.map(|signature| signature.kind) {
        Some(Kind::Classes) => vec![tensor(PREDICTED, "BYTES", &[]), probabilities],
        Some(Kind::Labels) => vec![tensor(PREDICTED, "BOOL", &width), probabilities],
        _ => vec![tensor(PREDICTED, "FP32", &width)],
    };
    json!({ "name": name, "platform": "rekindle", "inputs": inputs, "outputs": outputs })
}

/// The type of a column's values.
fn datatype(learned: &Learned) -> &'static str {
    match learned {
        Learned::Numeric { .. } => "FP64",
        Learned::Boolean { .. } => "BOOL",
        Learned::Categorical { .. } | Learned::Embedding { .. } | Learned::Date { .. } => "BYTES",
    }
}

/// A request; what else is in it is not looked at.
#[derive(Deserialize)]
struct Request<'a> {
    id: Option<String>,
    #[serde(borrow)]
    inputs: Vec<Given<'a>>,
    outputs: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Given<'a> {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Types of numbers, which stand for one another.
const NUMERIC: [&str; 11] =
    ["FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"];

impl Given<'_> {
    /// Whether it has the type that the model takes.
    fn is_of(&self, datatype: &str) -> Result<(), Problem> {
        let own = self.datatype.as_str();
        if own == datatype || NUMERIC.contains(&own) && NUMERIC.contains(&datatype) {
            return Ok(());
        }
        Err(Problem::sample(format!("input `{}`: datatype {own:?}; the model takes {datatype}", self.name)))
    }
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
}

/// A request, ready to be asked about.
pub(crate) struct Infer {
    pub x: Tensor,
    id: Option<String>,
    /// The names of the outputs that are wanted; without any, all are.
    wanted: Vec<String>,
}

impl Infer {
    /// Reads the body of a request.
    pub fn read(model: &Model, limits: &Limits, text: &str) -> Result<Infer, Problem> {
        let request: Request = read_json(text, PhantomData::<Request>)?;
        let inputs = &request.inputs;
        let x = match model.signature.as_ref().map(|signature| &signature.input) {
            Some(Input::Table(encoder)) => table(encoder, limits, inputs)?,
            Some(Input::Images(input)) => {
                let given = only(inputs, IMAGE)?;
                from_base64(input, limits, &texts(given, limits)?)?
            }
            Some(Input::Numbers(shape)) => numbers(model, shape, limits, only(inputs, NUMBERS)?)?,
            Some(Input::Arrays(input)) => numbers(model, &input.shape, limits, only(inputs, NUMBERS)?)?,
            None => return Err(Problem::sample("the model does not say what its data is like")),
        };
        let wanted: Vec<String> = request.outputs.into_iter().flatten().map(|wanted| wanted.name).collect();
        let outputs = outputs(model);
        match wanted.iter().find(|name| !outputs.contains(&name.as_str())) {
            Some(name) => {
                Err(Problem::sample(format!("there is no output `{name}`; there is {}", outputs.join(", "))))
            }
            None => Ok(Infer { x, id: request.id, wanted }),
        }
    }

    /// The answer.
    pub fn json(id: Option<String>, wanted: &[String], name: &str, answer: &Answer) -> Value {
        let Answer { prediction, samples } = answer;
        let (n, width) = (samples.len(), prediction.names().len());
        let values: Vec<f64> = samples.clone().flat_map(|i| prediction.written(i)).map(plain).collect();
        let output = |name: &str, datatype: &str, shape: &[usize], data: Value| json!({ "name": name, "datatype": datatype, "shape": shape, "data": data });
        let said: Vec<Said> = samples.clone().map(|i| prediction.said(i)).collect();
        let outputs = match said.first() {
            None | Some(Said::Numbers) => vec![output(PREDICTED, "FP32", &[n, width], json!(values))],
            Some(Said::Class(_)) => {
                let names: Vec<&str> =
                    said.iter().map(|said| if let Said::Class(name) = said { name } else { "" }).collect();
                let probabilities = output(PROBABILITIES, "FP32", &[n, width], json!(values));
                vec![output(PREDICTED, "BYTES", &[n], json!(names)), probabilities]
            }
            Some(Said::Labels(_)) => {
                let yes: Vec<bool> = said.iter().flat_map(|said| has(said, prediction.names())).collect();
                let probabilities = output(PROBABILITIES, "FP32", &[n, width], json!(values));
                vec![output(PREDICTED, "BOOL", &[n, width], json!(yes)), probabilities]
            }
        };
        let is_wanted = |output: &Value| {
            wanted.is_empty() || wanted.iter().any(|name| output["name"].as_str() == Some(name))
        };
        let outputs: Vec<Value> = outputs.into_iter().filter(is_wanted).collect();
        let mut answer = json!({ "model_name": name, "outputs": outputs });
        if let Some(id) = id {
            answer["id"] = id.into();
        }
        answer
    }

    /// What is needed for the answer.
    pub fn split(self) -> (Tensor, Option<String>, Vec<String>) {
        (self.x, self.id, self.wanted)
    }
}

/// A number whose digits are those of f32. (JSON values are f64, which has more.)
fn plain(value: f32) -> f64 {
    value.to_string().parse().expect("a number")
}

/// Of each label, whether it was given. (Those that were come in the order of the names.)
fn has(said: &Said, names: &[String]) -> Vec<bool> {
    let Said::Labels(labels) = said else { return Vec::new() };
    let mut given = labels.iter().peekable();
    names.iter().map(|name| given.next_if(|label| **label == name.as_str()).is_some()).collect()
}

fn outputs(model: &Model) -> &'static [&'static str] {
    match model.signature.as_ref().map(|signature| signature.kind) {
        Some(Kind::Classes | Kind::Labels) => &[PREDICTED, PROBABILITIES],
        _ => &[PREDICTED],
    }
}

/// The one input that the model has.
fn only<'a, 'b>(inputs: &'a [Given<'b>], name: &str) -> Result<&'a Given<'b>, Problem> {
    match inputs {
        [given] if given.name == name => Ok(given),
        _ => {
            let names: Vec<&str> = inputs.iter().map(|given| given.name.as_str()).collect();
            Err(Problem::sample(format!("inputs {names:?}; the model has one, which is called `{name}`")))
        }
    }
}

fn numbers(model: &Model, shape: &[usize], limits: &Limits, given: &Given) -> Result<Tensor, Problem> {
    let say = |what: String| Problem::sample(format!("input `{}`: {what}", given.name));
    given.is_of("FP32")?;
    let text = given.data.get();
    let nested = Nested::from_json(text).map_err(|e| {
        let Problem { status, message } = wrong_json(text, &e);
        Problem { status, message: format!("input `{}`: data: {message}", given.name) }
    })?;
    let width: usize = shape.iter().product();
    let (n, fits) = match given.shape.as_slice() {
        [n, rest @ ..] => (*n, rest == shape || rest == [width]),
        [] => (0, false),
    };
    if !fits {
        return Err(say(format!(
            "shape {:?}; the model takes {:?} behind the number of samples",
            given.shape, shape
        )));
    }
    count(n, limits)?;
    if n.checked_mul(width) != Some(nested.values.len()) {
        return Err(say(format!("{} numbers for the shape {:?}", nested.values.len(), given.shape)));
    }
    if nested.shape.len() != 1 && nested.shape != given.shape {
        return Err(say(format!("data of the shape {:?} for the shape {:?}", nested.shape, given.shape)));
    }
    tensor(model, nested.values, n, shape)
}

/// The values of an input of one dimension.
fn values(given: &Given, limits: &Limits) -> Result<Vec<Cell>, Problem> {
    let say = |what: String| Problem::sample(format!("input `{}`: {what}", given.name));
    let (n, fits) = match given.shape.as_slice() {
        [n] | [n, 1] => (*n, true),
        _ => (0, false),
    };
    if !fits {
        return Err(say(format!("shape {:?}; the model takes one value for each sample", given.shape)));
    }
    count(n, limits)?;
    let cells = read_json(given.data.get(), Cells(n + 1)).map_err(|e| say(format!("data: {}", e.message)))?;
    if cells.len() != n {
        let other = if cells.len() < n { "fewer" } else { "more" };
        return Err(say(format!("{other} values than the shape {:?} has", given.shape)));
    }
    Ok(cells)
}

fn texts(given: &Given, limits: &Limits) -> Result<Vec<String>, Problem> {
    let text = |cell| match cell {
        Cell::Text(text) => Ok(text),
        other => Err(Problem::sample(format!(
            "input `{}`: {}, and the model takes a file in base64",
            given.name,
            other.describe()
        ))),
    };
    given.is_of("BYTES")?;
    values(given, limits)?.into_iter().map(text).collect()
}

/// One input for each column.
fn table(encoder: &Encoder, limits: &Limits, inputs: &[Given]) -> Result<Tensor, Problem> {
    let names: Vec<&str> = encoder.columns().iter().map(|column| column.name.as_str()).collect();
    let strange = |given: &&Given| !names.contains(&given.name.as_str());
    if let Some(given) = inputs.iter().find(strange) {
        let name = &given.name;
        return Err(Problem::sample(format!("there is no input `{name}`; there is {}", names.join(", "))));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (i, column) in encoder.columns().iter().enumerate() {
        let say = |what: String| Problem::sample(format!("input `{}`: {what}", column.name));
        let mut named = inputs.iter().filter(|given| given.name == column.name);
        let given = named.next().ok_or_else(|| say("it is missing".into()))?;
        if named.next().is_some() {
            return Err(say("it is there twice".into()));
        }
        given.is_of(datatype(&column.learned))?;
        let cells = values(given, limits)?;
        if i == 0 {
            rows = vec![Vec::with_capacity(names.len()); cells.len()];
        }
        if cells.len() != rows.len() {
            return Err(say(format!("{} samples where others have {}", cells.len(), rows.len())));
        }
        for (row, cell) in rows.iter_mut().zip(cells) {
            row.push(cell_text(&column.learned, cell).map_err(say)?);
        }
    }
    encode(encoder, &names, rows)
}
