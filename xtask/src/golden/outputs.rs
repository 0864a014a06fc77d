//! What each output of a case is.
//!
//! A golden file names its outputs but does not say which expression of the program they are; that is known only
//! to the script that made it. This is the same knowledge: for every output name the expressions that it can
//! stand for, in the order in which they are tried. The first one that exists in the program (its variables are
//! set, and a gradient is there) is the output. A name without an entry is a variable of that name, the entry of
//! that name in a dictionary `p` of parameters, or an attribute of a module `m`.

use super::ast::Expr;
use super::eval::Interpreter;
use super::fault::{Fault, Result, failed};
use super::parse;
use super::value::Value;

/// Output name, and the expressions it can stand for.
const EXPRESSIONS: &[(&str, &[&str])] = &[
    // Random streams.
    ("x_memory_order", &["x.t()"]),
    ("x_logical_nchw", &["x"]),
    ("seed", &["s"]),
    ("head24", &["st[:24]"]),
    ("words", &["st[24:24+64]"]),
    ("tail40", &["st[5016:]"]),
    ("batch_sizes", &["nb"]),
    ("first4_and_dropout_out", &["o"]),
    ("lengths", &["n"]),
    // Initialisers.
    ("bn_w", &["m[0].weight"]),
    ("bn_b", &["m[0].bias"]),
    ("prelu", &["m[2].weight"]),
    ("w_ih", &["m.weight_ih_l0"]),
    ("w_hh", &["m.weight_hh_l0"]),
    ("b_ih", &["m.bias_ih_l0"]),
    ("b_hh", &["m.bias_hh_l0"]),
    ("in_w", &["m.in_proj_weight"]),
    ("in_b", &["m.in_proj_bias"]),
    ("out_w", &["m.out_proj.weight"]),
    ("out_b", &["m.out_proj.bias"]),
    // Dropout.
    ("scale", &["y.max().reshape(1)"]),
    ("x_grad", &["x.grad"]),
    ("y_logical", &["y"]),
    ("y_logical_nchw", &["y"]),
    // Data sets and splits.
    ("X5", &["X[:5]"]),
    ("W_after", &["W"]),
    ("train", &["a"]),
    ("test", &["t"]),
    ("X_train", &["a"]),
    ("X_test", &["bb"]),
    ("y_train", &["cc"]),
    ("y_test", &["d"]),
    // Optimisers.
    ("lr_used_at_step", &["x"]),
    ("ret", &["t"]),
    ("ga2", &["ps[0].grad"]),
    ("gb2", &["ps[1].grad"]),
    // Layers and losses.
    ("dx", &["x.grad"]),
    ("dw", &["w.grad", "m.weight.grad"]),
    ("db", &["b.grad", "bb.grad", "m.bias.grad"]),
    ("dt", &["t.grad"]),
    ("dq", &["qq.grad"]),
    ("dk", &["k.grad"]),
    ("dv", &["v.grad"]),
    ("dwi", &["m.weight_ih_l0.grad"]),
    ("dwh", &["m.weight_hh_l0.grad"]),
    ("dbi", &["m.bias_ih_l0.grad"]),
    ("dbh", &["m.bias_hh_l0.grad"]),
    ("num_batches", &["m.num_batches_tracked"]),
    ("idx", &["i"]),
    ("argmax", &["a"]),
    ("argmin", &["i"]),
    ("max_idx", &["m"]),
    ("argmax_flat", &["k"]),
];

/// The value of an output after the program has run.
pub fn value(program: &mut Interpreter, output: &str) -> Result<Value> {
    let candidates = candidates(output);
    for text in &candidates {
        let e = parse::expression(text)?;
        if program.has(root(&e)) {
            match program.eval(&e)? {
                Value::None => {}
                value => return Ok(value),
            }
        }
    }
    failed(format!("no output `{output}`: tried {}", candidates.join(", ")))
}

fn candidates(output: &str) -> Vec<String> {
    if let Some((_, texts)) = EXPRESSIONS.iter().find(|(name, _)| *name == output) {
        return texts.iter().map(|t| t.to_string()).collect();
    }
    for (prefix, list) in [("fold", "f"), ("epoch", "e")] {
        if let Some(i) = output.strip_prefix(prefix).and_then(|i| i.parse::<usize>().ok()) {
            return vec![format!("{list}[{i}]")];
        }
    }
    let entry = format!("p['{output}']");
    if output.contains('.') { vec![entry] } else { vec![output.into(), format!("m.{output}"), entry] }
}

/// The variable that an expression starts from.
fn root(e: &Expr) -> &str {
    match e {
        Expr::Var(name) => name,
        Expr::Attr(of, _) | Expr::Index(of, _) | Expr::Method(of, _, _) => root(of),
        _ => "",
    }
}

/// The value of an expression given as text.
pub fn expression(program: &mut Interpreter, text: &str) -> Result<Value> {
    let e = parse::expression(text).map_err(|f| Fault::Failed(format!("`{text}`: {f}")))?;
    program.eval(&e)
}
