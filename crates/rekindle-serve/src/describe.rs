//! What a model takes and gives, for programs and for the page.

use rekindle_data::table::Learned;
use rekindle_train::{Input, Kind, Model};
use serde_json::{Value, json};

/// What `GET /model` says.
pub(crate) fn description(model: &Model, name: &str) -> Value {
    let signature = model.signature.as_ref();
    let task = signature.map(|signature| match signature.kind {
        Kind::Classes => "classes",
        Kind::Labels => "labels",
        Kind::Numbers => "numbers",
    });
    json!({
        "name": name,
        "recipe": model.recipe.name,
        "task": task,
        "classes": signature.map(|signature| &signature.classes),
        "input": signature.map(|signature| input(&signature.input)),
        "images": model.image_input().map(|input| json!({
            "rows": input.spec.size[0], "columns": input.spec.size[1], "channels": input.spec.channels,
        })),
    })
}

fn input(input: &Input) -> Value {
    match input {
        Input::Table(encoder) => {
            let columns: Vec<Value> =
                encoder.columns().iter().map(|column| self::column(&column.name, &column.learned)).collect();
            json!({ "kind": "table", "columns": columns })
        }
        Input::Numbers(shape) => json!({ "kind": "numbers", "shape": shape }),
        Input::Arrays(input) => json!({ "kind": "numbers", "shape": input.shape }),
        Input::Images(_) => json!({ "kind": "images" }),
    }
}

fn column(name: &str, learned: &Learned) -> Value {
    match learned {
        Learned::Numeric { mean, .. } => json!({ "name": name, "kind": "numeric", "mean": mean }),
        Learned::Boolean { .. } => json!({ "name": name, "kind": "boolean" }),
        Learned::Date { .. } => json!({ "name": name, "kind": "date" }),
        Learned::Categorical { categories, missing } | Learned::Embedding { categories, missing } => {
            json!({ "name": name, "kind": "category", "categories": categories, "missing": missing })
        }
    }
}
