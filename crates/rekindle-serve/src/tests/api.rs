//! The paths beside `/predict`.

use super::client::JSON;
use super::{Running, models};
use serde_json::json;

#[test]
fn the_paths_say_what_the_server_and_the_model_are() {
    let server = Running::new(models::table());
    let mut client = server.client();
    assert_eq!(client.get("/v2/health/live").json(), json!({ "live": true }));
    assert_eq!(client.get("/v2/health/ready").json(), json!({ "ready": true }));
    assert_eq!(client.get("/v2").json()["name"], "rekindle");
    assert_eq!(client.get("/v2/models/it/ready").status, 200);
    let description = serde_json::to_string_pretty(&client.get("/model").json()).unwrap();
    insta::assert_snapshot!("model", description);
    let metadata = serde_json::to_string_pretty(&client.get("/v2/models/it").json()).unwrap();
    insta::assert_snapshot!("metadata", metadata);
    let openapi = serde_json::to_string_pretty(&client.get("/openapi.json").json()).unwrap();
    insta::assert_snapshot!("openapi", openapi);
}

#[test]
fn other_paths_names_and_methods_are_errors() {
    let server = Running::new(models::circles());
    let mut client = server.client();
    assert_eq!(client.get("/predictions").error(404), "there is no such path; GET / is a page");
    assert_eq!(client.get("/v2/models/that").error(404), "there is no such model; there is `it`");
    let reply = client.get("/predict");
    assert!(
        reply.error(405) == "this path takes POST; see /openapi.json" && reply.head.contains("allow: post"),
        "{}",
        reply.head
    );
    assert_eq!(client.post("/v2/models/that/infer", JSON, "{}").status, 404);
    assert_eq!(client.get("/v2/models/%FF").error(404), "there is no such model; there is `it`");
}

#[test]
fn the_page_takes_nothing_from_elsewhere() {
    let server = Running::new(models::circles());
    let mut client = server.client();
    for (path, kind) in [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")] {
        let reply = client.get(path);
        assert!(
            reply.status == 200 && reply.head.contains(&format!("content-type: {kind}")),
            "{}",
            reply.head
        );
        assert!(reply.head.contains("content-security-policy: default-src 'self'"));
        let text = reply.text();
        assert!(
            !text.contains("http://") && !text.contains("https://") && !text.contains("innerHTML"),
            "{path}"
        );
    }
}

#[test]
fn the_open_inference_protocol_gives_the_answers_of_predict() {
    let server = Running::new(models::table());
    let mut client = server.client();
    let input =
        |name, datatype, data| json!({ "name": name, "shape": [2], "datatype": datatype, "data": data });
    let request = json!({
        "id": "42",
        "inputs": [
            input("since", "BYTES", json!(["2021-02-03", "2020-01-01"])),
            input("age", "FP64", json!([30, 51.5])),
            input("colour", "BYTES", json!(["red", "blue"])),
            input("member", "BOOL", json!([true, false])),
        ],
    });
    let answer = client.post("/v2/models/it/infer", JSON, request.to_string()).json();
    assert_eq!((&answer["id"], &answer["model_name"]), (&json!("42"), &json!("it")));
    let rows = json!([
        { "age": 30, "colour": "red", "member": true, "since": "2021-02-03" },
        { "age": 51.5, "colour": "blue", "member": false, "since": "2020-01-01" },
    ]);
    let said = client.predict(rows.to_string()).json();
    let said = said["predictions"].as_array().unwrap();
    let names: Vec<_> = said.iter().map(|said| said["predicted"].clone()).collect();
    let values: Vec<_> = said
        .iter()
        .flat_map(|said| ["maybe", "no", "yes"].map(|name| said["probabilities"][name].clone()))
        .collect();
    let predicted = json!({ "name": "predicted", "datatype": "BYTES", "shape": [2], "data": names });
    let probabilities =
        json!({ "name": "probabilities", "datatype": "FP32", "shape": [2, 3], "data": values });
    assert_eq!(answer["outputs"], json!([predicted, probabilities]));

    let mut some = request.clone();
    some["outputs"] = json!([{ "name": "probabilities" }]);
    let some = client.post("/v2/models/it/infer", JSON, some.to_string()).json();
    assert_eq!(some["outputs"], json!([probabilities]));
}

#[test]
fn tensors_that_the_model_does_not_take_are_named() {
    let server = Running::new(models::circles());
    let mut client = server.client();
    let request = |name: &str, shape: &str, datatype: &str, data: &str| {
        format!(
            r#"{{"inputs": [{{"name": "{name}", "shape": {shape}, "datatype": "{datatype}", "data": {data}}}]}}"#
        )
    };
    let good = client.post("/v2/models/it/infer", JSON, request("x", "[2, 2]", "FP32", "[[1, 2], [3, 4]]"));
    assert_eq!(good.status, 200, "{}", good.text());
    let flat = client.post("/v2/models/it/infer", JSON, request("x", "[2, 2]", "FP32", "[1, 2, 3, 4]"));
    assert_eq!(flat, good);
    for (body, status, message) in [
        (
            request("y", "[1, 2]", "FP32", "[1, 2]"),
            422,
            "inputs [\"y\"]; the model has one, which is called `x`",
        ),
        (request("x", "[1, 3]", "FP32", "[1, 2, 3]"), 422, "input `x`: shape [1, 3]; the model takes [2]"),
        (request("x", "[2, 2]", "FP32", "[1, 2]"), 422, "input `x`: 2 numbers for the shape [2, 2]"),
        (
            request("x", "[1, 2]", "BYTES", "[\"a\"]"),
            422,
            "input `x`: datatype \"BYTES\"; the model takes FP32",
        ),
        (
            request("x", "[2, 2]", "FP32", "[[1, 2, 3, 4]]"),
            422,
            "input `x`: data of the shape [1, 4] for the shape",
        ),
        (request("x", "[1, 2]", "FP32", "[\"a\", 1]"), 422, "input `x`: data: invalid type: string"),
        (
            request("x", "[9007199254740993, 2]", "FP32", "[1, 2]"),
            413,
            "9007199254740993 samples; a request has",
        ),
        (request("x", "[-1, 2]", "FP32", "[1, 2]"), 422, "invalid value: integer `-1`"),
        ("{}".into(), 422, "missing field `inputs`"),
        ("[".into(), 400, "the body is not JSON"),
        (r#"{"inputs": [], "outputs": [{"name": "z"}]}"#.into(), 422, "inputs []; the model has one"),
    ] {
        // Some close the connection.
        let error = server.client().post("/v2/models/it/infer", JSON, &body).error(status);
        assert!(error.starts_with(message), "{body}: {error}");
    }
}

#[test]
fn metrics_count_what_was_asked() {
    let server = Running::new(models::circles());
    let mut client = server.client();
    for body in ["[1, 2]", "[3, 4]", "[5]"] {
        client.predict(body);
    }
    let text = client.get("/metrics").text();
    for line in [
        "rekindle_requests_total{path=\"/predict\",status=\"200\"} 2",
        "rekindle_requests_total{path=\"/predict\",status=\"422\"} 1",
        "rekindle_ready 1",
        "rekindle_connections 1",
        "rekindle_panics_total 0",
        "# TYPE rekindle_request_seconds histogram",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    // The text format: every line is a comment, or a name and a number.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("two words");
        assert!(name.starts_with("rekindle_") && value.parse::<f64>().is_ok(), "{line}");
    }
}
