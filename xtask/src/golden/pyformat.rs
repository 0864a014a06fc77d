//! Python's `str.format` for the fields that training logs use: `{0:d}`, `{1:.5f}`, `{2:f}`, `{}`.

use super::fault::{Result, failed};

/// Fills `template` with `values`.
pub fn format(template: &str, values: &[f64]) -> Result<String> {
    let (mut out, mut next) = (String::new(), 0);
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.peek() == Some(&'{') => out.extend(chars.next()),
            '}' if chars.peek() == Some(&'}') => out.extend(chars.next()),
            '{' => {
                let field: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let (place, spec) = field.split_once(':').unwrap_or((&field, ""));
                let i = place.parse().unwrap_or(next);
                next = i + 1;
                match values.get(i) {
                    Some(v) => out += &number(*v, spec)?,
                    None => return failed(format!("`{template}` asks for value {i} of {}", values.len())),
                }
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// One number. Both Python and Rust print the exact decimal expansion, rounded half to even.
fn number(v: f64, spec: &str) -> Result<String> {
    if let Some(digits) = spec.strip_suffix('f') {
        let digits = match digits.strip_prefix('.') {
            Some(d) => d.parse().ok(),
            None => digits.is_empty().then_some(6),
        };
        if let Some(digits) = digits {
            return Ok(fixed(v, digits));
        }
    }
    match spec {
        "d" | "" if v.fract() == 0.0 => Ok(format!("{v:.0}")),
        "" => Ok(v.to_string()),
        _ => failed(format!("unknown format `{spec}` for {v}")),
    }
}

fn fixed(v: f64, digits: usize) -> String {
    if v.is_nan() { "nan".into() } else { format!("{v:.digits$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_like_python() {
        assert_eq!(format("{0:d} {1:.2f}% | {1:f}", &[3.0, 53.375]).unwrap(), "3 53.38% | 53.375000");
        assert_eq!(format("acc={0:.4f}\t{{x}}", &[0.5]).unwrap(), "acc=0.5000\t{x}");
        assert_eq!(format("{0:d}", &[-1.0]).unwrap(), "-1");
        assert_eq!(format("{0:.1f} {1:.1f}", &[f64::NAN, f64::INFINITY]).unwrap(), "nan inf");
    }

    #[test]
    fn ties_go_to_even() {
        for (v, digits, text) in
            [(0.125, 2, "0.12"), (0.375, 2, "0.38"), (2.5, 0, "2"), (1.5, 0, "2"), (0.5, 0, "0")]
        {
            assert_eq!(fixed(v, digits), text);
        }
    }

    #[test]
    fn a_missing_value_is_an_error() {
        assert!(format("{2:d}", &[1.0]).is_err());
        assert!(format("{0:d}", &[1.5]).is_err());
    }
}
