//! Rows of a table as features, in ONNX's operators: as the table's `Encoder` makes them.
//!
//! Every column is an input `[batch, 1]`: numbers as f64, true and false as 1 and 0 in f32, categories as texts, and dates as their four
//! parts, `[batch, 4]`, because no operator reads them. A number that is missing is NaN, a category that is missing an empty text.
//!
//! A graph cannot refuse a row. Where the encoder would, a feature is NaN, and with it everything that comes of the row.

use super::inputs::standardised;
use rekindle_data::table::{ColumnEncoder, Encoder, Learned, Missing, Unseen};
use rekindle_nn::onnx::{Attribute, Graph, Type, Value};
use rekindle_tensor::Tensor;
use std::collections::BTreeMap;

/// What has to be done before.
pub(super) const BEFORE: &str = "numbers that are missing become NaN, categories that are missing an empty text, true and false 1 and 0, \
                                 dates their year, month, day and day of the week from 0, Monday";

/// Words of at most so many letters have all their spellings in capitals and small letters in the file.
const SPELLED: u32 = 6;

/// Names that inputs cannot have: those of outputs, and none.
const TAKEN: [&str; 3] = ["predicted", "probabilities", ""];

/// Adds an input for each column, and gives the features.
///
/// # Errors
/// If there is none, or one has the name of an output.
pub(super) fn add(graph: &mut Graph, encoder: &Encoder) -> Result<Value, String> {
    if let Some(column) = encoder.columns().iter().find(|column| TAKEN.contains(&column.name.as_str())) {
        return Err(format!(
            "the column `{}` cannot be an input of an ONNX file: outputs are called `predicted` and `probabilities`, and an empty name means \
             that there is none; rename it and train again",
            column.name
        ));
    }
    // Before anything else takes a name, so that inputs are called as their columns.
    let inputs: Vec<Value> = encoder.columns().iter().map(|column| input(graph, column)).collect();
    let columns = encoder.columns().iter().zip(&inputs);
    let features: Vec<Value> =
        columns.map(|(column, x)| features(graph, encoder, &column.learned, x)).collect();
    let first = inputs.first().ok_or("damaged signature: a table without columns")?;
    let (batch, width) = (first.shape()[0], features.iter().map(|f| f.shape()[1]).sum());
    let features: Vec<&Value> = features.iter().collect();
    let all = graph.op("Concat", &features, &[("axis", 1usize.into())]);
    Ok(all.typed(Type::Float).shaped(&[batch, width]))
}

fn input(graph: &mut Graph, column: &ColumnEncoder) -> Value {
    let (kind, width, about) = match column.learned {
        Learned::Numeric { .. } => (Type::Double, 1, "a number; NaN if it is missing"),
        Learned::Boolean { .. } => (Type::Float, 1, "1 or 0; NaN if it is missing"),
        Learned::Date { .. } => {
            (Type::Double, 4, "year, month, day and day of the week from 0, Monday; NaN if it is missing")
        }
        Learned::Categorical { .. } | Learned::Embedding { .. } => {
            (Type::String, 1, "a category; an empty text if it is missing")
        }
    };
    graph.input(&column.name, kind, &[width], about)
}

/// What becomes of a column.
fn features(graph: &mut Graph, encoder: &Encoder, learned: &Learned, x: &Value) -> Value {
    match learned {
        Learned::Numeric { mean, std } => numbers(graph, encoder, x, &[*mean], &[*std]),
        Learned::Date { mean, std } => numbers(graph, encoder, x, mean, std),
        Learned::Boolean { mean } => filled(graph, encoder, x, *mean),
        Learned::Categorical { categories, missing } => {
            let none = -1.0;
            let index = indices(graph, encoder, x, categories, 0, none, missing.then_some(categories.len()));
            one_hot(graph, &index, categories.len() + usize::from(*missing))
        }
        Learned::Embedding { categories, missing } => {
            indices(graph, encoder, x, categories, 1, 0.0, missing.then_some(0))
        }
    }
}

fn numbers(graph: &mut Graph, encoder: &Encoder, x: &Value, mean: &[f64], std: &[f64]) -> Value {
    // Numbers that were all the same are always encoded as 0.
    let std: Vec<f64> = std.iter().map(|&s| if s == 0.0 { f64::INFINITY } else { s }).collect();
    let x = standardised(graph, x, mean, &std);
    filled(graph, encoder, &x, 0.0)
}

/// What stands for missing numbers, if anything does.
fn filled(graph: &mut Graph, encoder: &Encoder, x: &Value, number: f64) -> Value {
    if encoder.missing() != Missing::Mean {
        return x.clone();
    }
    let unknown = graph.op("IsNaN", &[x], &[]).typed(Type::Bool);
    let number = graph.number(x, number);
    graph.op("Where", &[&unknown, &number, x], &[]).shaped(x.shape()).typed(x.kind())
}

/// The number of each category as f32, from `first`; `none` stands for a category that is passed over, NaN for one that is refused.
fn indices(
    graph: &mut Graph,
    encoder: &Encoder,
    x: &Value,
    categories: &[String],
    first: usize,
    none: f32,
    of_missing: Option<usize>,
) -> Value {
    let unseen = if encoder.unseen() == Unseen::Ignore { none } else { f32::NAN };
    let missing = match (encoder.missing(), of_missing) {
        (Missing::Mean, Some(index)) => index as f32,
        (Missing::Mean, None) => unseen,
        _ => f32::NAN,
    };
    let numbered = categories.iter().zip(first..).map(|(category, i)| (category.clone(), i as f32));
    let mut numbers: BTreeMap<String, f32> = numbered.collect();
    let words = encoder.missing_words().iter().flat_map(|word| spellings(word));
    numbers.extend(words.chain([String::new()]).map(|word| (word, missing)));
    let (keys, values) = numbers.into_iter().unzip();
    let options = [
        ("keys_strings", Attribute::Strings(keys)),
        ("values_floats", Attribute::Floats(values)),
        ("default_float", Attribute::Float(unseen)),
    ];
    graph.op("ai.onnx.ml.LabelEncoder", &[x], &options).typed(Type::Float)
}

/// A feature for each of `width` categories: 1 for the one that it is, NaN in all if it is refused.
fn one_hot(graph: &mut Graph, index: &Value, width: usize) -> Value {
    let shape = [index.shape()[0], width];
    let all: Vec<f32> = (0..width).map(|i| i as f32).collect();
    let all = [("categories", Some(&Tensor::from_vec(all, [1, width])))];
    let is = graph.layer_op("Equal", index, &all, &[]).typed(Type::Bool).shaped(&shape);
    let hot = graph.cast(&is, Type::Float);
    let refused = graph.op("IsNaN", &[index], &[]).typed(Type::Bool);
    graph.op("Where", &[&refused, index, &hot], &[]).typed(Type::Float).shaped(&shape)
}

/// A word in capitals, small letters and, if it is short, everything between.
fn spellings(word: &str) -> Vec<String> {
    let letters = word.chars().filter(char::is_ascii_alphabetic).count() as u32;
    if letters > SPELLED {
        return vec![word.into(), word.to_ascii_lowercase(), word.to_ascii_uppercase()];
    }
    let spelled = |capitals: u32| {
        let mut letter = 0;
        let of = |c: char| {
            let capital = c.is_ascii_alphabetic() && capitals >> letter & 1 == 1;
            letter += u32::from(c.is_ascii_alphabetic());
            if capital { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
        };
        word.chars().map(of).collect()
    };
    (0..1 << letters).map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_have_all_their_spellings() {
        let mut all = spellings("n/a");
        all.sort();
        assert_eq!(all, ["N/A", "N/a", "n/A", "n/a"]);
        assert_eq!(spellings("?"), ["?"]);
        assert_eq!(spellings("Unbekannt"), ["Unbekannt", "unbekannt", "UNBEKANNT"]);
    }

    #[test]
    fn a_table_without_columns_is_a_damaged_signature() {
        let json = r#"{"missing":"mean","unseen":"error","columns":[],"target":null}"#;
        let encoder = Encoder::from_json(json).unwrap();
        assert!(add(&mut Graph::new(), &encoder).unwrap_err().starts_with("damaged signature"));
    }

    #[test]
    fn a_column_with_the_name_of_an_output_is_refused() {
        for (name, refused) in [("predicted", true), ("probabilities", true), ("predicted_1", false)] {
            let json = format!(
                r#"{{"missing":"mean","unseen":"error","columns":[{{"name":"{name}","learned":{{"kind":"numeric","mean":0.0,"std":1.0}}}}],"target":null}}"#
            );
            let added = add(&mut Graph::new(), &Encoder::from_json(&json).unwrap());
            assert_eq!(added.is_err_and(|e| e.contains("rename it")), refused, "{name}");
        }
    }
}
