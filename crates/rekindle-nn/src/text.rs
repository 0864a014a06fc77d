//! Networks as text, as PyTorch prints them.

use crate::module::{Module, Parameters};
use crate::visit::{Entry, LIST, Visitor};
use std::fmt;

/// A network as PyTorch prints it. Structs that derive [`Parameters`] do so with `{}`.
///
/// ```
/// use rekindle_nn::{sequential, Linear, ReLU};
/// let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)];
/// assert_eq!(net.to_string(), "\
/// Sequential(
///   (0): Linear(in_features=784, out_features=32, bias=True)
///   (1): ReLU()
///   (2): Linear(in_features=32, out_features=1, bias=True)
/// )");
/// ```
pub fn module_text(module: &dyn Parameters) -> String {
    let mut children: Vec<(String, String)> = Vec::new();
    module.visit(&mut Visitor::shallow(&mut |name, entry| {
        if let Entry::Module(child) = entry
            && let Some(text) = child_text(child)
        {
            children.push((name.to_string(), text));
        }
    }));
    let (name, extra) = (module.type_name(), module.extra_repr());
    if children.is_empty() {
        return format!("{name}({extra})");
    }
    let repeat = name == LIST;
    let mut lines = Vec::from_iter((!extra.is_empty()).then_some(extra));
    let mut rest = &children[..];
    while let [(first, text), ..] = rest {
        let alike = if repeat { rest.iter().take_while(|(_, t)| t == text).count() } else { 1 };
        lines.push(match alike {
            1 => format!("({first}): {text}"),
            n => format!("({first}-{}): {n} x {text}", rest[n - 1].0),
        });
        rest = &rest[alike..];
    }
    format!("{name}(\n  {}\n)", lines.join("\n").replace('\n', "\n  "))
}

/// The text of a child; none for a list without modules, which is plain data.
fn child_text(child: &dyn Parameters) -> Option<String> {
    let text = module_text(child);
    (text != format!("{LIST}()")).then_some(text)
}

impl fmt::Display for dyn Module + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&module_text(self))
    }
}

/// Python's spelling of a truth value.
pub(crate) fn python_bool(on: bool) -> &'static str {
    if on { "True" } else { "False" }
}

/// Python's spelling of a float: `0.1`, `1e-05`, `20.0`.
pub(crate) fn python_float(x: f64) -> String {
    let text = format!("{x:?}");
    match text.split_once('e') {
        None => text,
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::python_float;

    #[test]
    fn floats_are_spelt_as_in_python() {
        let spelt = [1e-5, 0.0001, 0.1, 20.0, 1e16, 1.5e-12].map(python_float);
        assert_eq!(spelt, ["1e-05", "0.0001", "0.1", "20.0", "1e+16", "1.5e-12"]);
    }
}
