//! What bodies are taken for, and what is wrong with others.

use super::Running;
use super::client::{Client, JSON};
use super::models;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use std::io::Cursor;

const ROW: &str = r#"{"age": 30, "colour": "red", "member": true, "since": "2021-02-03"}"#;

fn png(columns: u32, rows: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(columns, rows, |x, y| Rgb([(x * 20) as u8, (y * 20) as u8, 99]));
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

#[test]
fn a_row_is_answered_with_the_class_and_all_probabilities() {
    let server = Running::new(models::table());
    let answer = server.client().predict(ROW).json();
    assert_eq!(answer["model"], "it");
    let said = &answer["predictions"][0];
    let probabilities = said["probabilities"].as_object().unwrap();
    let names: Vec<&str> = probabilities.keys().map(String::as_str).collect();
    assert_eq!(names, ["maybe", "no", "yes"]);
    let values: Vec<f64> = probabilities.values().map(|p| p.as_f64().unwrap()).collect();
    assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    let best = (0..3).max_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap();
    assert_eq!(said["predicted"], names[best]);
}

#[test]
fn a_list_of_rows_is_answered_in_its_order_with_the_bytes_of_each_alone() {
    let server = Running::new(models::table());
    let mut client = server.client();
    let rows: Vec<String> = (0..100).map(|i| ROW.replace("30", &format!("{}.5", i * 7 % 90))).collect();
    let all = client.predict(format!("[{}]", rows.join(","))).text();
    let alone: Vec<String> = rows
        .iter()
        .map(|row| {
            let text = client.predict(row).text();
            text.trim_start_matches(r#"{"model":"it","predictions":["#).trim_end_matches("]}").to_string()
        })
        .collect();
    assert_eq!(all, format!(r#"{{"model":"it","predictions":[{}]}}"#, alone.join(",")));
}

#[test]
fn what_a_row_lacks_or_has_too_much_is_named() {
    let server = Running::new(models::table());
    let mut client = server.client();
    for (from, to, message) in [
        ("\"age\": 30, ", "", "request: row 1: column `age` is not there; send null if its value is missing"),
        ("age", "aeg", "request: row 1: there is no column `aeg`; did you mean `age`?"),
        ("30", "\"thirty\"", "request: row 1: column `age`: a text, and the model takes a number"),
        ("30", "[30]", "request: row 1: column `age`: a list, and the model takes a number"),
        ("30", "{\"a\": [1]}", "request: row 1: column `age`: an object, and the model takes a number"),
        ("30", "true", "request: row 1: column `age`: true or false, and the model takes a number"),
        ("30", "30, \"age\": 31", "request: row 1: column `age` is there twice"),
        (
            "30",
            "30, \"bought\": \"no\"",
            "request: row 1: column `bought` is what the model predicts; leave it out",
        ),
        (
            "\"red\"",
            "\"rde\"",
            "request: row 1, column `colour`: training had no category `rde`; did you mean `red`?",
        ),
        ("true", "\"perhaps\"", "request: row 1, column `member`: `perhaps` is neither true nor false"),
        (
            "\"2021-02-03\"",
            "20210203",
            "request: row 1: column `since`: a number, and the model takes a date as a text",
        ),
        ("\"2021-02-03\"", "\"2021-02-31\"", "request: row 1, column `since`: `2021-02-31` is not a date"),
        ("30", "1e300", "request: row 1, column `age`: "),
    ] {
        let error = client.predict(ROW.replacen(from, to, 1)).error(422);
        assert!(error.starts_with(message), "{error}");
    }
    let second = format!("[{ROW}, {}]", ROW.replace("red", "rad"));
    assert!(client.predict(second).error(422).starts_with("request: row 2, column `colour`"));
    // A missing number is the mean of the training, as in a file.
    assert_eq!(client.predict(ROW.replace("30", "null")).status, 200);
}

#[test]
fn bodies_that_are_not_samples_are_said_to_be_what_they_are() {
    let server = Running::new(models::table());
    let mut client = server.client();
    for (body, status, message) in [
        ("", 400, "the body is not JSON: EOF while parsing a value"),
        ("{\"age\": 3", 400, "the body is not JSON: EOF while parsing an object"),
        (
            "{\"age\": NaN}",
            400,
            "the body is not JSON: expected value at line 1 column 9; JSON has only finite numbers",
        ),
        ("{\"age\": -Infinity}", 400, "the body is not JSON: "),
        ("{\"age\": 1e999}", 422, "number out of range"),
        ("[]", 422, "there are no samples; send at least one"),
        ("3", 422, "invalid type: integer `3`, expected an object for each sample"),
        ("[3]", 422, "invalid type: integer `3`, expected an object for each sample"),
        ("[{}]", 422, "request: row 1: column `age` is not there"),
    ] {
        let error = client.predict(body).error(status);
        assert!(error.starts_with(message), "{body}: {error}");
    }
    let deep = format!("{{\"age\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let error = client.predict(deep).error(422);
    assert_eq!(error, "request: row 1: column `age`: a list, and the model takes a number");
    let error = client.predict("[".repeat(100_000)).error(422);
    assert!(error.starts_with("invalid type: sequence, expected an object for each sample"), "{error}");
    let error = client.predict(b"{\"age\": \"\xff\"}").error(400);
    assert_eq!(error, "the body is not UTF-8: byte 9 is wrong");
}

#[test]
fn only_types_that_the_model_takes_are_read() {
    let server = Running::new(models::table());
    let mut client = server.client();
    let takes = "; send application/json";
    for kind in ["text/csv", "application/x-www-form-urlencoded", "image/png", "application/jsonp"] {
        assert_eq!(client.post("/predict", kind, ROW).error(415), format!("content-type \"{kind}\"{takes}"));
    }
    assert_eq!(client.post("/predict", "Application/JSON; charset=utf-8", ROW).status, 200);
    client.send(b"POST /predict HTTP/1.1\r\nhost: it\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(client.reply().error(415), format!("no content-type{takes}"));
    let head = "POST /predict HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}";
    client.send(head.as_bytes());
    assert!(
        client.reply().error(415).starts_with("content-encoding \"gzip\": compressed bodies are not read")
    );
}

#[test]
fn numbers_come_nested_or_flat_alone_or_many() {
    let server = Running::new(models::clothes());
    let mut client = server.client();
    let numbers: Vec<f32> = (0..784).map(|i| (i % 11) as f32 / 11.0).collect();
    let nested: Vec<&[f32]> = numbers.chunks(28).collect();
    let one = client.predict(json!(numbers).to_string());
    assert_eq!(one.status, 200, "{}", one.text());
    for body in [json!([nested]), json!([numbers]), json!([[nested]])] {
        assert_eq!(client.predict(body.to_string()), one);
    }
    let many = client.predict(json!([numbers, numbers, numbers]).to_string()).json();
    let said = many["predictions"].as_array().unwrap();
    assert!(said.len() == 3 && said.iter().all(|said| *said == one.json()["predictions"][0]));
    let few = client.predict(json!(numbers[1..]).to_string()).error(422);
    assert_eq!(
        few,
        "numbers of the shape [783]; a sample has the shape [1, 28, 28] or [784]; send one, or a list of them"
    );
    assert!(
        client.predict("{\"x\": 1}").error(422).contains("invalid type: map, expected a number or a list")
    );
    assert!(client.predict("[[1], [2, 3]]").error(422).contains("lists of one level are of one length"));
    let large = numbers.iter().map(|_| "1e39").collect::<Vec<_>>().join(",");
    let error = client.predict(format!("[{large}]")).error(422);
    assert_eq!(error, "a number is too large for the model, which computes in f32");
}

fn said(client: &mut Client, body: &str) -> Value {
    client.predict(body).json()["predictions"][0].clone()
}

#[test]
fn labels_are_a_list_and_numbers_are_numbers() {
    let server = Running::new(models::labels());
    let labels = said(&mut server.client(), "[0.5, -1]");
    let (chosen, chances) = (labels["predicted"].as_array().unwrap(), &labels["probabilities"]);
    for name in ["warm", "wet"] {
        assert_eq!(chosen.contains(&json!(name)), chances[name].as_f64().unwrap() > 0.5);
    }
    let server = Running::new(models::regression());
    let (zero, one) = (said(&mut server.client(), "[0]"), said(&mut server.client(), "[1]"));
    assert!(zero["predicted"].is_f64() && one["predicted"].is_f64() && zero != one);
    assert!(one.get("probabilities").is_none());
}

#[test]
fn an_image_is_sent_as_a_file_or_in_base64() {
    let server = Running::new(models::photos());
    let mut client = server.client();
    let file = client.post("/predict", "image/png", png(12, 9));
    assert_eq!(file.status, 200, "{}", file.text());
    let text = json!({ "image": STANDARD.encode(png(12, 9)) });
    assert_eq!(client.predict(text.to_string()), file);
    let two = client.predict(json!([text, text]).to_string()).json();
    assert_eq!(two["predictions"][1], file.json()["predictions"][0]);
    // What a file is, its bytes say.
    assert_eq!(client.post("/predict", "image/jpeg", png(12, 9)), file);
    let errors = [
        (client.post("/predict", "image/png", "GIF89a"), "image: neither a PNG nor a JPEG file"),
        (client.post("/predict", "image/png", ""), "image: an empty file"),
        (client.post("/predict", "image/png", &png(12, 9)[..60]), "image: a damaged image: "),
        (client.predict(r#"{"image": "%"}"#), "request: image 1: not base64: "),
        (client.predict(r#"{"picture": ""}"#), "request: row 1: not {\"image\": \"..\"} with a PNG or JPEG"),
        (client.predict("{}"), "request: row 1: not {\"image\": \"..\"}"),
    ];
    for (reply, message) in errors {
        let error = reply.error(422);
        assert!(error.starts_with(message), "{error}");
    }
    let error = client.post("/predict", "image/gif", "GIF89a").error(415);
    assert_eq!(error, "content-type \"image/gif\"; send application/json, image/png or image/jpeg");
}

#[test]
fn the_open_inference_protocol_takes_images_in_base64() {
    let server = Running::new(models::photos());
    let mut client = server.client();
    let (image, other) = (STANDARD.encode(png(8, 8)), STANDARD.encode(png(12, 9)));
    let request = |images: Value| {
        let n = images.as_array().unwrap().len();
        json!({ "inputs": [{ "name": "image", "shape": [n], "datatype": "BYTES", "data": images }] })
            .to_string()
    };
    let answer = client.post("/v2/models/it/infer", JSON, request(json!([image, other]))).json();
    let said = client.predict(json!([{ "image": image }, { "image": other }]).to_string()).json();
    let said = said["predictions"].as_array().unwrap();
    let names: Vec<_> = said.iter().map(|said| said["predicted"].clone()).collect();
    let values: Vec<_> =
        said.iter().flat_map(|said| ["cat", "dog"].map(|name| said["probabilities"][name].clone())).collect();
    assert_eq!(answer["outputs"][0]["data"], json!(names));
    assert_eq!(answer["outputs"][1]["data"], json!(values));
    let error = client.post("/v2/models/it/infer", JSON, request(json!(["AAAA"]))).error(422);
    assert!(error.contains("image"), "{error}");
}

#[test]
fn a_net_for_a_built_in_set_takes_images_too() {
    let server = Running::new(models::clothes());
    let mut client = server.client();
    let grey = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([((x * y) % 251) as u8]));
    let mut bytes = Vec::new();
    grey.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    let numbers: Vec<f32> = grey.as_raw().iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let as_numbers = client.post("/predict", JSON, json!(numbers).to_string());
    assert_eq!(client.post("/predict", "image/png", bytes), as_numbers);
}

#[test]
fn an_image_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let limits = crate::Limits { pixels: 100, ..Default::default() };
    let server = Running::with(models::photos(), limits);
    let mut client = server.client();
    let error = client.post("/predict", "image/png", png(12, 9)).error(413);
    let together = "pixels; a request has at most 100 together, make images smaller or send fewer";
    assert_eq!(error, format!("image: 9 x 12 {together}"));
    let image = json!({ "image": STANDARD.encode(png(8, 8)) });
    let error = server.client().predict(json!([image, image]).to_string()).error(413);
    assert_eq!(error, format!("image 2: 8 x 8 {together}"));
    assert_eq!(server.client().post("/predict", "image/png", png(10, 10)).status, 200);
}

/// Numbers far from 0, which f32 would round away before they are standardised.
#[test]
fn arrays_keep_the_precision_of_their_file() {
    let server = Running::new(models::times());
    let mut client = server.client();
    let [a, b] = ["[1700000001.5, 2]", "[1700000002.5, 2]"].map(|body| client.predict(body));
    assert!(a.status == 200 && b.status == 200 && a != b, "{} {}", a.text(), b.text());
}

#[test]
fn a_category_that_is_a_number_is_found_however_it_is_written() {
    let server = Running::new(models::doors());
    let mut client = server.client();
    let [a, b, c] =
        [r#"{"doors": 4.0}"#, r#"{"doors": 4}"#, r#"{"doors": "4.0"}"#].map(|body| client.predict(body));
    assert!(a.status == 200 && a == b && b == c, "{}", a.text());
    assert!(client.predict(r#"{"doors": 7}"#).error(422).contains("training had no category `7`"));
}
