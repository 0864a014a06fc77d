//! Bodies of requests to tensors.

use crate::cell::{Cell, Most, Row, Rows};
use crate::limits::Limits;
use crate::nested::Nested;
use crate::problem::Problem;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rekindle_data::images::{Pixels, decode_image, image_size};
use rekindle_data::table::{Encoder, Learned, Table};
use rekindle_tensor::Tensor;
use rekindle_train::{ImageInput, Input, Model};
use serde::de::DeserializeSeed;
use std::path::Path;

/// What a request stands for in messages.
const NAME: &str = "request";

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Image,
}

impl Format {
    /// What its headers say, and the model takes.
    pub fn of(headers: &HeaderMap, images: bool) -> Result<Format, Problem> {
        let takes = if images { "application/json, image/png or image/jpeg" } else { "application/json" };
        let refuse = |what: String| {
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{what}; send {takes}")))
        };
        if let Some(encoding) = headers.get(header::CONTENT_ENCODING).filter(|e| *e != "identity") {
            return refuse(format!("content-encoding {encoding:?}: compressed bodies are not read"));
        }
        let Some(given) = headers.get(header::CONTENT_TYPE) else { return refuse("no content-type".into()) };
        let name = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match name.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Format::Json),
            "image/png" | "image/jpeg" if images => Ok(Format::Image),
            _ => refuse(format!("content-type {given:?}")),
        }
    }
}

/// The samples of a body as inputs of the net.
pub(crate) fn samples(
    model: &Model,
    limits: &Limits,
    format: Format,
    body: &[u8],
) -> Result<Tensor, Problem> {
    if format == Format::Image {
        let input = model.image_input().ok_or_else(|| Problem::sample("the model takes no images"))?;
        return images(&input, limits, &[body]);
    }
    let text = text(body)?;
    match model.signature.as_ref().map(|signature| &signature.input) {
        Some(Input::Table(encoder)) => rows(encoder, limits, text),
        Some(Input::Images(input)) => encoded_images(input, limits, text),
        Some(Input::Numbers(shape)) => numbers(model, shape, limits, text),
        Some(Input::Arrays(input)) => numbers(model, &input.shape, limits, text),
        None => Err(Problem::sample("the model does not say what its data is like")),
    }
}

/// JSON is UTF-8.
pub(crate) fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body)
        .map_err(|e| Problem::syntax(format!("the body is not UTF-8: byte {} is wrong", e.valid_up_to())))
}

/// Reads JSON; what is not JSON is another problem than JSON that is something else.
pub(crate) fn json<'a, S: DeserializeSeed<'a>>(text: &'a str, seed: S) -> Result<S::Value, Problem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| wrong_json(text, &e))
}

pub(crate) fn wrong_json(text: &str, e: &serde_json::Error) -> Problem {
    // JSON has numbers of any size; f64 has not.
    if e.is_data() || e.to_string().starts_with("number out of range") {
        return Problem::sample(e.to_string());
    }
    let line = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
    let at = line.get(e.column().saturating_sub(1)..).unwrap_or_default();
    let hint = if ["NaN", "Inf", "-Inf", "nan", "inf"].iter().any(|word| at.starts_with(word)) {
        "; JSON has only finite numbers, and null for what is missing"
    } else {
        ""
    };
    Problem::syntax(format!("the body is not JSON: {e}{hint}"))
}

/// Whether there are samples, and not too many.
pub(crate) fn count(n: usize, limits: &Limits) -> Result<(), Problem> {
    match n {
        0 => Err(Problem::sample("there are no samples; send at least one")),
        n if n > limits.samples => Err(Problem::too_large(format!(
            "{n} samples; a request has at most {}, send them in several",
            limits.samples
        ))),
        _ => Ok(()),
    }
}

/// One sample of nested or flat numbers, or a list of such.
fn numbers(model: &Model, shape: &[usize], limits: &Limits, text: &str) -> Result<Tensor, Problem> {
    let nested = Nested::from_json(text).map_err(|e| wrong_json(text, &e))?;
    let width: usize = shape.iter().product();
    let n = match nested.shape.as_slice() {
        got if got == shape => 1,
        [n, got @ ..] if got == shape => *n,
        [got] if *got == width => 1,
        [n, got] if *got == width => *n,
        [0] => 0,
        got => {
            let flat = if shape.len() > 1 { format!(" or [{width}]") } else { String::new() };
            return Err(Problem::sample(format!(
                "numbers of the shape {got:?}; a sample has the shape {shape:?}{flat}; send one, or a list of them"
            )));
        }
    };
    count(n, limits)?;
    tensor(model, nested.values, n, shape)
}

/// Numbers as inputs, with the precision that files have, too.
pub(crate) fn tensor(model: &Model, values: Vec<f64>, n: usize, shape: &[usize]) -> Result<Tensor, Problem> {
    let x = Tensor::from_vec(values, [&[n], shape].concat());
    let x = model.numbers(x).map_err(|e| Problem::sample(e.to_string()))?;
    match x.all_finite() {
        true => Ok(x),
        false => Err(Problem::sample("a number is too large for the model, which computes in f32")),
    }
}

/// Objects with as many values as there are columns; one more is kept, to say what is wrong with it.
fn objects(text: &str, limits: &Limits, columns: usize) -> Result<Vec<Row>, Problem> {
    let most = Most { rows: limits.samples, values: columns + 1 };
    let rows: Rows = json(text, most)?;
    count(rows.count, limits)?;
    Ok(rows.rows)
}

/// Rows of a table.
fn rows(encoder: &Encoder, limits: &Limits, text: &str) -> Result<Tensor, Problem> {
    let rows = objects(text, limits, encoder.columns().len())?;
    let names: Vec<&str> = encoder.columns().iter().map(|column| column.name.as_str()).collect();
    let cells = (1..).zip(rows).map(|(i, row)| cells_of(encoder, &names, i, row));
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    encode(encoder, &names, cells)
}

/// Rows of cells, in the order of the columns, as inputs.
pub(crate) fn encode(encoder: &Encoder, names: &[&str], cells: Vec<Vec<String>>) -> Result<Tensor, Problem> {
    let table = Table::of_rows(NAME, names, cells).map_err(|e| Problem::sample(e.to_string()))?;
    encoder.encode_inputs(&table).map_err(|e| Problem::sample(e.to_string()))
}

/// The cells of a row in the order of the columns: all of them, each once, and of its kind.
fn cells_of(encoder: &Encoder, names: &[&str], row: usize, values: Row) -> Result<Vec<String>, Problem> {
    let say = |what: String| Problem::sample(format!("{NAME}: row {row}: {what}"));
    let mut cells: Vec<Option<String>> = vec![None; names.len()];
    for (i, (name, value)) in values.into_iter().enumerate() {
        // Most rows have the order of the columns.
        let found = if names.get(i) == Some(&name.as_str()) {
            Some(i)
        } else {
            names.iter().position(|n| *n == name)
        };
        let Some(column) = found else { return Err(say(unknown(encoder, names, &name))) };
        let learned = &encoder.columns()[column].learned;
        let text = cell_text(learned, value).map_err(|what| say(format!("column `{name}`: {what}")))?;
        if cells[column].replace(text).is_some() {
            return Err(say(format!("column `{name}` is there twice")));
        }
    }
    let whole = |(cell, name): (Option<String>, &&str)| {
        cell.ok_or_else(|| say(format!("column `{name}` is not there; send null if its value is missing")))
    };
    cells.into_iter().zip(names).map(whole).collect()
}

fn unknown(encoder: &Encoder, names: &[&str], name: &str) -> String {
    if encoder.target().is_some_and(|target| target.columns.iter().any(|column| column == name)) {
        return format!("column `{name}` is what the model predicts; leave it out");
    }
    let table = Table::of_rows(NAME, names, Vec::<Vec<&str>>::new());
    let error = table.and_then(|table| table.column(name)).err().map(|e| e.to_string()).unwrap_or_default();
    error.trim_start_matches("request: ").to_string()
}

/// A value as the cell of a CSV file, if a column of this kind takes such a value.
pub(crate) fn cell_text(learned: &Learned, value: Cell) -> Result<String, String> {
    let takes = match learned {
        Learned::Numeric { .. } => "a number",
        Learned::Boolean { .. } => "true or false",
        Learned::Date { .. } => "a date as a text, such as \"2024-05-31\"",
        Learned::Categorical { .. } | Learned::Embedding { .. } => "a text",
    };
    match (learned, value) {
        (_, Cell::Null) => Ok(String::new()),
        (Learned::Numeric { .. }, Cell::Number(text)) => Ok(text),
        (Learned::Date { .. }, Cell::Text(text)) => Ok(text),
        (Learned::Numeric { .. } | Learned::Date { .. }, other)
        | (_, other @ (Cell::List | Cell::Object)) => {
            Err(format!("{}, and the model takes {takes}", other.describe()))
        }
        (_, Cell::Boolean(yes)) => Ok(yes.to_string()),
        (
            Learned::Categorical { categories, .. } | Learned::Embedding { categories, .. },
            Cell::Number(text),
        ) => {
            // A file may write 1.0 where JSON has 1.
            let number = text.parse::<f64>();
            let same = |category: &&String| **category == text || category.parse::<f64>() == number;
            Ok(categories.iter().find(same).cloned().unwrap_or(text))
        }
        (_, Cell::Number(text) | Cell::Text(text)) => Ok(text),
    }
}

/// Objects such as `{"image": "iVBORw0KGgo.."}`, in base64.
fn encoded_images(input: &ImageInput, limits: &Limits, text: &str) -> Result<Tensor, Problem> {
    let rows = objects(text, limits, 1)?;
    let text_of = |(i, row): (usize, Row)| match <[_; 1]>::try_from(row) {
        Ok([(name, Cell::Text(text))]) if name == "image" => Ok(text),
        _ => Err(Problem::sample(format!(
            "{NAME}: row {i}: not {{\"image\": \"..\"}} with a PNG or JPEG file in base64, which is what the model takes"
        ))),
    };
    let texts = (1..).zip(rows).map(text_of).collect::<Result<Vec<_>, _>>()?;
    from_base64(input, limits, &texts)
}

/// PNG or JPEG files in base64.
pub(crate) fn from_base64(input: &ImageInput, limits: &Limits, texts: &[String]) -> Result<Tensor, Problem> {
    let file = |(i, text): (usize, &String)| {
        BASE64.decode(text).map_err(|e| Problem::sample(format!("{NAME}: image {i}: not base64: {e}")))
    };
    let files = (1..).zip(texts).map(file).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    images(input, limits, &files)
}

fn images(input: &ImageInput, limits: &Limits, files: &[&[u8]]) -> Result<Tensor, Problem> {
    let name = |i: usize| if files.len() == 1 { "image".to_string() } else { format!("image {}", i + 1) };
    let say = |e: rekindle_data::Error| Problem::sample(e.to_string());
    // What all of them claim is known before any is decoded.
    let mut pixels = 0usize;
    for (i, bytes) in files.iter().enumerate() {
        let [rows, columns] = image_size(bytes, Path::new(&name(i))).map_err(say)?;
        pixels = pixels.saturating_add(rows.saturating_mul(columns));
        if pixels > limits.pixels {
            return Err(Problem::too_large(format!(
                "{}: {rows} x {columns} pixels; a request has at most {} together, make images smaller or send fewer",
                name(i),
                limits.pixels
            )));
        }
    }
    let mut data = Vec::with_capacity(files.len() * input.spec.len());
    for (i, bytes) in files.iter().enumerate() {
        data.extend(decode_image(bytes, Path::new(&name(i)), &input.spec).map_err(say)?.data);
    }
    Ok(input.tensor(&Pixels { spec: input.spec, data }))
}
