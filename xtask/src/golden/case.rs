//! One case: run its program, compare what it made.

use super::array::{Numbers, Stored, from_hex};
use super::ast::{self, Stmt};
use super::compare::{Cmp, difference, mask_difference};
use super::eval::Interpreter;
use super::fault::{Fault, Result, failed, unsupported};
use super::value::Value;
use super::{Options, outputs, parse, trajectory};
use rekindle_tensor::{DType, Tensor};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

/// Files in which +0 equals -0 (SPEC section 16).
const ZEROS_EQUAL: [&str; 2] = ["layers", "losses"];

/// Runs a case and fails with what differs.
pub fn run(head: &Json, case: &Json, options: &Options) -> Result<()> {
    if case.get("kind").is_some() {
        return trajectory::run(head, case, options);
    }
    let body = program(case)?;
    let file = head.get("file").and_then(Json::as_str).unwrap_or_default();
    let cmp = Cmp::read(case.get("cmp"), ZEROS_EQUAL.contains(&file))?;
    rekindle_tensor::random::manual_seed(0);
    let mut program = Interpreter::new(inputs(case)?, None);
    program.run(&body)?;
    let wrong = differences(&mut program, case, cmp)?;
    if wrong.is_empty() { Ok(()) } else { failed(wrong.join("\n")) }
}

/// The program of a case: its `ast`, or its `code` where there is none.
fn program(case: &Json) -> Result<Vec<Stmt>> {
    if let Some(tree) = case.get("ast") {
        return ast::program(tree);
    }
    let Some(code) = case.get("code").and_then(Json::as_str) else {
        return failed("a case without `ast`, `code` or `kind`");
    };
    parse::program(code).or_else(|fault| {
        let why = case.get("no_ast").and_then(Json::as_str).unwrap_or("not given");
        unsupported(format!("parsed program (reason: {why}; here: {fault})"))
    })
}

/// The arrays of `in` as tensors; those in `requires_grad` are leaves of the graph.
fn inputs(case: &Json) -> Result<HashMap<String, Value>> {
    let empty = Map::new();
    let arrays = case.get("in").and_then(Json::as_object).unwrap_or(&empty);
    let leaves = case.get("requires_grad").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut vars = HashMap::new();
    for (name, json) in arrays {
        let tensor = tensor(json).map_err(|e| Fault::Failed(format!("input {name}: {e}")))?;
        if leaves.iter().any(|l| l.as_str() == Some(name)) {
            tensor.requires_grad_(true);
        }
        vars.insert(name.clone(), Value::Tensor(tensor));
    }
    Ok(vars)
}

fn tensor(json: &Json) -> Result<Tensor> {
    let plain = Stored::read(json)?.whole()?;
    let shape = plain.shape;
    Ok(match plain.data {
        Numbers::F32(v) => Tensor::from_vec(v, shape),
        Numbers::F64(v) => Tensor::from_vec(v, shape),
        Numbers::Int(v) => Tensor::from_vec(v.into_iter().map(|i| i as i64).collect::<Vec<i64>>(), shape),
    })
}

/// What differs in the outputs, in the dropout mask, and in where the random stream stands afterwards.
fn differences(program: &mut Interpreter, case: &Json, cmp: Cmp) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (name, json) in case.get("out").and_then(Json::as_object).into_iter().flatten() {
        let expected = Stored::read(json).map_err(|e| Fault::Failed(format!("output {name}: {e}")))?;
        let got = outputs::value(program, name)?.plain()?;
        wrong.extend(difference(&expected, &got, cmp).map(|text| format!("{name}{text}")));
        checked += 1;
    }
    if let Some(keep) = case.get("keep") {
        let Some(text) = case.get("keep_expr").and_then(Json::as_str) else {
            return failed("`keep` without `keep_expr`");
        };
        let mask = outputs::expression(program, text)?;
        match mask.as_tensor() {
            Some(t) => wrong.extend(mask_difference(keep, &t.to(DType::Bool).to_vec::<bool>())),
            None => return failed(format!("`{text}` is not a tensor")),
        }
        checked += 1;
    }
    if let Some(hex) = case.get("next_rand").and_then(Json::as_str) {
        let expected = from_hex("f32", hex)?;
        let got = Numbers::F32(Tensor::rand([1]).to_vec());
        if expected != got {
            wrong.push(format!("next torch.rand(1): expected {expected:?}, got {got:?}"));
        }
        checked += 1;
    }
    if checked == 0 { failed("a case without outputs") } else { Ok(wrong) }
}
