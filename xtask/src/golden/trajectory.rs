//! Training logs: the program of the case's kind is run with the parameters of the case, and its log is compared
//! with the stored one, line by line (SPEC section 16).

use super::array::float_of;
use super::ast::Stmt;
use super::eval::Interpreter;
use super::fault::{Fault, Result, failed, unsupported};
use super::value::Value;
use super::{Options, parse, pyformat};
use serde_json::Value as Json;
use std::rc::Rc;

/// A value may differ by this many times the largest deviation of other roundings of the same program, where its
/// printed digits do not decide.
const TOLERANCE: f64 = 4.0;
/// A printed line must be met digit for digit unless a value is this many deviations from a rounding boundary.
const BOUNDARY: f64 = 3.0;
/// The deviation, relative to the value or to 1, that is assumed of a case that records none.
const UNRECORDED: f64 = 1e-6;

/// Runs the case and fails with the lines that differ.
pub fn run(head: &Json, case: &Json, options: &Options) -> Result<()> {
    let kind = case.get("kind").and_then(Json::as_str).unwrap_or_default();
    let Some(code) = head.get("code").and_then(|c| c.get(kind)?.get("code")?.as_str()) else {
        return failed(format!("no program of kind `{kind}` in `head.code`"));
    };
    let log = Log::read(head, case, kind)?;
    let body = parse::program(code)
        .or_else(|fault| unsupported(format!("parsed program of kind {kind} ({fault})")))?;
    let wrong = log.differences(&rows(&body, case.get("P"), options)?)?;
    if wrong.is_empty() { Ok(()) } else { failed(wrong.join("\n")) }
}

/// Runs the program with its parameters `P`; the log is what it leaves in `rows`. The functions of the prelude
/// are in the table.
fn rows(body: &[Stmt], parameters: Option<&Json>, options: &Options) -> Result<Vec<Vec<f64>>> {
    let rows = Value::list(Vec::new());
    let vars = [
        ("P", parameters.map_or(Ok(Value::None), json_value)?),
        ("DATA", Value::None),
        ("rows", rows.clone()),
        ("CAST", Value::Function("CAST".into())),
        ("MM", Value::Function("MM".into())),
    ];
    let vars = vars.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    rekindle_tensor::random::manual_seed(0);
    Interpreter::new(vars, options.data_folder()).run(body)?;
    let numbers = |row: &Value| row.as_items()?.iter().map(Value::as_float).collect::<Option<Vec<f64>>>();
    let rows: Option<Vec<Vec<f64>>> = rows.as_items().unwrap_or_default().iter().map(numbers).collect();
    rows.map_or_else(|| failed("a row of the log holds something else than numbers"), Ok)
}

/// A parameter as Python would have it.
fn json_value(json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::String(s) => Value::str(s),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i.into()),
            None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => Value::list(items.iter().map(json_value).collect::<Result<_>>()?),
        Json::Object(pairs) => {
            let pair = |(k, v): (&String, &Json)| Ok((k.clone(), json_value(v)?));
            Value::Dict(Rc::new(pairs.iter().map(pair).collect::<Result<_>>()?))
        }
    })
}

/// The stored log of a case.
struct Log {
    rows: Vec<Vec<f64>>,
    lines: Vec<String>,
    /// The largest deviation of each column.
    deviation: Vec<Option<f64>>,
    unstable: Vec<usize>,
    format: String,
}

impl Log {
    fn read(head: &Json, case: &Json, kind: &str) -> Result<Log> {
        let missing = |what: &str| Fault::Failed(format!("a trajectory without {what}"));
        let format = head.get("code").and_then(|c| c.get(kind)?.get("print")?.as_str());
        let format = format.ok_or_else(|| missing("`head.code[kind].print`"))?.to_string();
        let rows: Option<Vec<Vec<f64>>> = case
            .get("rows")
            .and_then(Json::as_array)
            .and_then(|rows| rows.iter().map(|r| r.as_array()?.iter().map(float_of).collect()).collect());
        let rows = rows.ok_or_else(|| missing("numeric `rows`"))?;
        let lines: Option<Vec<String>> = case
            .get("lines")
            .and_then(Json::as_array)
            .and_then(|l| l.iter().map(|s| s.as_str().map(str::to_string)).collect());
        let lines = lines.ok_or_else(|| missing("`lines`"))?;
        if lines.len() != rows.len() {
            return Err(missing("a line for each row"));
        }
        let unstable = case.get("unstable_lines").and_then(Json::as_array).into_iter().flatten();
        let unstable = unstable.filter_map(|i| i.as_u64().map(|i| i as usize)).collect();
        let columns = rows.first().map_or(0, Vec::len);
        Ok(Log { deviation: deviations(case.get("max_dev"), columns), rows, lines, unstable, format })
    }

    fn differences(&self, got: &[Vec<f64>]) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        if got.len() != self.rows.len() {
            wrong.push(format!("expected {} lines, got {}", self.rows.len(), got.len()));
        }
        for (i, (expected, got)) in self.rows.iter().zip(got).enumerate() {
            if expected.len() != got.len() {
                wrong.push(format!("line {i}: expected {} columns, got {}", expected.len(), got.len()));
                continue;
            }
            let line = pyformat::format(&self.format, got)?;
            if line == self.lines[i] {
                continue;
            }
            if !self.unstable.contains(&i) && !self.near_boundary(i)? {
                wrong.push(format!("line {i}: expected {:?}\n{}got {line:?}", self.lines[i], " ".repeat(12)));
                continue;
            }
            wrong.extend(self.beyond_tolerance(i, got));
        }
        Ok(wrong)
    }

    fn deviation(&self, row: usize, column: usize) -> f64 {
        let value = self.rows[row][column];
        self.deviation.get(column).copied().flatten().unwrap_or(UNRECORDED * value.abs().max(1.0))
    }

    /// Whether a small deviation of one value would print another line.
    fn near_boundary(&self, i: usize) -> Result<bool> {
        for column in 1..self.rows[i].len() {
            for sign in [-BOUNDARY, BOUNDARY] {
                let mut row = self.rows[i].clone();
                row[column] += sign * self.deviation(i, column);
                if pyformat::format(&self.format, &row)? != self.lines[i] {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn beyond_tolerance(&self, i: usize, got: &[f64]) -> Option<String> {
        let beyond = |(column, (e, g)): (usize, (&f64, &f64))| {
            let slack = if column == 0 { 0.0 } else { TOLERANCE * self.deviation(i, column) };
            let same = e == g || (e.is_nan() && g.is_nan()) || (e - g).abs() <= slack;
            (!same).then(|| format!("line {i}, column {column}: expected {e} +- {slack:.1e}, got {g}"))
        };
        self.rows[i].iter().zip(got).enumerate().find_map(beyond)
    }
}

/// The largest deviation per column over the other single-precision roundings; column 0 counts epochs. The run in
/// double precision is not another rounding of the same program unless it is all there is.
fn deviations(max_dev: Option<&Json>, columns: usize) -> Vec<Option<f64>> {
    let Some(all) = max_dev.and_then(Json::as_object) else { return vec![None; columns] };
    let single: Vec<&Json> = all.iter().filter(|(k, _)| *k != "f64").map(|(_, v)| v).collect();
    let runs = if single.is_empty() { all.values().collect() } else { single };
    let column = |c: usize| {
        let values = runs.iter().filter_map(|run| float_of(run.get(c.checked_sub(1)?)?));
        values.fold(None, |most: Option<f64>, v| Some(most.map_or(v, |m| m.max(v))))
    };
    (0..columns).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(unstable: &[usize], dev: f64) -> Log {
        let head = serde_json::json!({"code": {"k": {"print": "{0:d} {1:.3f}"}}});
        let case = serde_json::json!({"rows": [[0, 0.12345], [1, 0.54321]], "lines": ["0 0.123", "1 0.543"],
            "max_dev": {"t2": [dev], "f64": [1.0]}, "unstable_lines": unstable});
        Log::read(&head, &case, "k").unwrap()
    }

    fn wrong(log: &Log, values: [f64; 2]) -> usize {
        log.differences(&[vec![0.0, values[0]], vec![1.0, values[1]]]).unwrap().len()
    }

    #[test]
    fn stable_lines_must_print_the_same_digits() {
        let log = log(&[], 1e-6);
        assert_eq!(wrong(&log, [0.1234, 0.5434]), 0);
        assert_eq!(wrong(&log, [0.1236, 0.5432]), 1);
        assert_eq!(log.differences(&[]).unwrap().len(), 1);
    }

    #[test]
    fn unstable_lines_and_boundaries_use_the_tolerance() {
        let unstable = log(&[0], 1e-4);
        assert_eq!(wrong(&unstable, [0.12365, 0.5432]), 0);
        assert_eq!(wrong(&unstable, [0.125, 0.5432]), 1);
        // 0.12345 is 5e-5 from the boundary 0.1235: within 3 deviations of 2e-5, so 8e-5 may pass.
        let near = log(&[], 2e-5);
        assert_eq!(wrong(&near, [0.12351, 0.5432]), 0);
        assert_eq!(wrong(&near, [0.1237, 0.5432]), 1);
    }

    #[test]
    fn a_log_without_deviations_gets_the_default() {
        assert_eq!(deviations(None, 2), vec![None, None]);
        assert_eq!(
            deviations(Some(&serde_json::json!({"t2": [0.5], "f64": [2.0]})), 2),
            vec![None, Some(0.5)]
        );
        assert_eq!(deviations(Some(&serde_json::json!({"f64": [2.0]})), 2), vec![None, Some(2.0)]);
    }
}
