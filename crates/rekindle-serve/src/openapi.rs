//! The description of the paths as OpenAPI 3.1: <https://spec.openapis.org/oas/v3.1.0>.

use rekindle_data::table::{ColumnEncoder, Learned};
use rekindle_train::{Input, Kind, Model};
use serde_json::{Map, Value, json};

/// What `GET /openapi.json` says.
pub(crate) fn openapi(model: &Model, name: &str, metadata: &Value) -> Value {
    let infer = format!("/v2/models/{name}/infer");
    let mut paths = json!({
        "/predict": { "post": predict(model) },
        "/model": { "get": get("What the model takes and gives") },
        "/metrics": { "get": {
            "summary": "Counts and times, as Prometheus reads them",
            "responses": { "200": { "description": "metrics", "content": { "text/plain": { "schema": { "type": "string" } } } } },
        } },
        "/v2": { "get": get("What the server is") },
        "/v2/health/live": { "get": get("Whether the server runs") },
        "/v2/health/ready": { "get": ready() },
    });
    paths[format!("/v2/models/{name}")] = json!({ "get": get("What the model takes and gives, as tensors") });
    paths[format!("/v2/models/{name}/ready")] = json!({ "get": ready() });
    paths[infer] = json!({ "post": {
        "summary": "Predictions, by the Open Inference Protocol",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/InferRequest" } } } },
        "responses": answers(json!({ "$ref": "#/components/schemas/InferAnswer" })),
    } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": name, "description": model.recipe.name, "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": {
            "Error": { "type": "object", "required": ["error"], "properties": { "error": { "type": "string" } } },
            "Sample": sample(model),
            "Prediction": prediction(model),
            "Answer": {
                "type": "object",
                "required": ["model", "predictions"],
                "properties": {
                    "model": { "type": "string" },
                    "predictions": { "type": "array", "items": { "$ref": "#/components/schemas/Prediction" } },
                },
            },
            "InferRequest": tensors("inputs", &metadata["inputs"], &["inputs"]),
            "InferAnswer": tensors("outputs", &metadata["outputs"], &["model_name", "outputs"]),
        } },
    })
}

fn get(summary: &str) -> Value {
    let content = json!({ "application/json": { "schema": { "type": "object" } } });
    json!({ "summary": summary, "responses": { "200": { "description": "as said", "content": content } } })
}

fn ready() -> Value {
    let mut get = get("Whether requests are taken");
    get["responses"]["503"] = error("not yet, or not any more");
    get
}

fn error(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Error" });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

/// What a request for predictions is answered with.
fn answers(schema: Value) -> Value {
    json!({
        "200": { "description": "predictions", "content": { "application/json": { "schema": schema } } },
        "400": error("the body is not JSON"),
        "408": error("the body did not come in time"),
        "413": error("too many bytes, samples or pixels"),
        "415": error("not a type that the model takes"),
        "422": error("not what the model takes; the message names the column"),
        "500": error("the prediction failed"),
        "503": error("too much to do; Retry-After says when to come back"),
    })
}

fn predict(model: &Model) -> Value {
    let sample = json!({ "$ref": "#/components/schemas/Sample" });
    let one_or_many = json!({ "oneOf": [sample, { "type": "array", "items": sample, "minItems": 1 }] });
    let mut content = json!({ "application/json": { "schema": one_or_many } });
    if model.image_input().is_some() {
        for kind in ["image/png", "image/jpeg"] {
            content[kind] = json!({ "schema": { "type": "string", "format": "binary" } });
        }
    }
    json!({
        "summary": "Predictions for one sample or a list of samples",
        "requestBody": { "required": true, "content": content },
        "responses": answers(json!({ "$ref": "#/components/schemas/Answer" })),
    })
}

/// One sample.
fn sample(model: &Model) -> Value {
    match model.signature.as_ref().map(|signature| &signature.input) {
        Some(Input::Table(encoder)) => {
            let names: Vec<&str> = encoder.columns().iter().map(|column| column.name.as_str()).collect();
            let properties: Map<String, Value> =
                encoder.columns().iter().map(|column| (column.name.clone(), value(column))).collect();
            json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
        }
        Some(Input::Images(_)) => json!({
            "type": "object",
            "required": ["image"],
            "properties": { "image": { "type": "string", "contentEncoding": "base64" } },
            "additionalProperties": false,
        }),
        Some(Input::Numbers(shape)) => nested(shape),
        Some(Input::Arrays(input)) => nested(&input.shape),
        None => json!({}),
    }
}

/// What a cell may be.
fn value(column: &ColumnEncoder) -> Value {
    match &column.learned {
        Learned::Numeric { .. } => json!({ "type": ["number", "null"] }),
        Learned::Boolean { .. } => json!({ "type": ["boolean", "string", "number", "null"] }),
        Learned::Date { .. } => json!({ "type": ["string", "null"] }),
        Learned::Categorical { categories, .. } | Learned::Embedding { categories, .. } => {
            json!({ "type": ["string", "number", "boolean", "null"], "examples": categories.iter().take(5).collect::<Vec<_>>() })
        }
    }
}

/// Numbers in lists of these lengths.
fn nested(shape: &[usize]) -> Value {
    shape.iter().rev().fold(
        json!({ "type": "number" }),
        |items, n| json!({ "type": "array", "items": items, "minItems": n, "maxItems": n }),
    )
}

fn prediction(model: &Model) -> Value {
    let kind = model.signature.as_ref().map(|signature| signature.kind);
    let numbers = json!({ "type": "object", "additionalProperties": { "type": "number" } });
    let predicted = match kind {
        Some(Kind::Classes) => json!({ "type": "string" }),
        Some(Kind::Labels) => json!({ "type": "array", "items": { "type": "string" } }),
        _ => json!({ "oneOf": [{ "type": "number" }, numbers] }),
    };
    match kind {
        Some(Kind::Classes | Kind::Labels) => json!({
            "type": "object",
            "required": ["predicted", "probabilities"],
            "properties": { "predicted": predicted, "probabilities": numbers },
        }),
        _ => json!({ "type": "object", "required": ["predicted"], "properties": { "predicted": predicted } }),
    }
}

/// An object with tensors in a list called `key`.
fn tensors(key: &str, known: &Value, required: &[&str]) -> Value {
    let names: Vec<&Value> = known.as_array().into_iter().flatten().map(|tensor| &tensor["name"]).collect();
    let tensor = json!({
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": { "type": "string", "enum": names },
            "shape": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
            "datatype": { "type": "string" },
            "data": { "type": "array" },
        },
    });
    let mut properties = json!({ "id": { "type": "string" } });
    properties[key] = json!({ "type": "array", "items": tensor });
    json!({ "type": "object", "required": required, "properties": properties })
}
