//! One case: run its program, compare what it made.

use super::Options;
use super::ast;
use super::fault::{Result, unsupported};
use serde_json::Value as Json;

/// Runs a case and fails with what differs.
pub fn run(_head: &Json, case: &Json, _options: &Options) -> Result<()> {
    let Some(tree) = case.get("ast") else {
        let why = case.get("no_ast").and_then(Json::as_str).unwrap_or("no program");
        return unsupported(format!("parsed program ({why})"));
    };
    ast::program(tree)?;
    unsupported("interpreter yet")
}
