//! Source text to tokens, with the indentation as tokens of its own.

use crate::golden::ast::Lit;
use crate::golden::fault::{Result, failed};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or keyword.
    Ident(String),
    Lit(Lit),
    Op(&'static str),
    /// The end of a statement's line.
    Newline,
    Indent,
    Dedent,
}

/// Longer operators come before their own beginnings.
const OPS: &[&str] = &[
    "**=", "//=", "**", "//", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "@=", "%=", "<", ">", "+", "-",
    "*", "/", "%", "@", "(", ")", "[", "]", "{", "}", ".", ",", ":", ";", "=", "~",
];

/// The tokens of a program. Lines inside brackets continue; blank lines and comments do not count.
pub fn tokens(text: &str) -> Result<Vec<Token>> {
    let (mut out, mut indents, mut depth) = (Vec::new(), vec![0usize], 0usize);
    for line in text.lines() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if depth == 0 {
            indentation(line.len() - content.len(), &mut indents, &mut out)?;
        }
        depth = line_tokens(content, depth, &mut out)?;
        if depth == 0 {
            out.push(Token::Newline);
        }
    }
    if depth > 0 {
        return failed("an open bracket at the end of the program");
    }
    out.extend(indents[1..].iter().map(|_| Token::Dedent));
    Ok(out)
}

fn indentation(width: usize, indents: &mut Vec<usize>, out: &mut Vec<Token>) -> Result<()> {
    let current = |indents: &[usize]| indents.last().copied().unwrap_or(0);
    if width > current(indents) {
        indents.push(width);
        out.push(Token::Indent);
    }
    while width < current(indents) {
        indents.pop();
        out.push(Token::Dedent);
    }
    if width == current(indents) { Ok(()) } else { failed("indentation that matches no block") }
}

/// Tokens of one line; returns how many brackets are open at its end.
fn line_tokens(line: &str, mut depth: usize, out: &mut Vec<Token>) -> Result<usize> {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let used = if c == '#' {
            break;
        } else if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
            let n = number_length(rest);
            out.push(Token::Lit(number(&rest[..n])?));
            n
        } else if c.is_alphabetic() || c == '_' {
            let n = rest.find(|d: char| !d.is_alphanumeric() && d != '_').unwrap_or(rest.len());
            out.push(word(&rest[..n]));
            n
        } else if c == '\'' || c == '"' {
            let Some(n) = rest[1..].find(c) else { return failed(format!("open string in `{line}`")) };
            out.push(Token::Lit(Lit::Str(rest[1..=n].to_string())));
            n + 2
        } else if let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) {
            match *op {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            out.push(Token::Op(op));
            op.len()
        } else {
            return failed(format!("cannot read `{rest}` in `{line}`"));
        };
        rest = rest[used..].trim_start();
    }
    Ok(depth)
}

fn number_length(s: &str) -> usize {
    let b = s.as_bytes();
    let mut n = 0;
    while n < b.len() {
        let exponent_sign = (b[n] == b'-' || b[n] == b'+') && n > 0 && matches!(b[n - 1], b'e' | b'E');
        if !(b[n].is_ascii_digit() || matches!(b[n], b'.' | b'e' | b'E' | b'_') || exponent_sign) {
            break;
        }
        n += 1;
    }
    n
}

fn number(s: &str) -> Result<Lit> {
    let plain = s.replace('_', "");
    match (plain.parse::<i128>(), plain.parse::<f64>()) {
        (Ok(i), _) => Ok(Lit::Int(i)),
        (_, Ok(x)) => Ok(Lit::Float(x)),
        _ => failed(format!("not a number: `{s}`")),
    }
}

fn word(s: &str) -> Token {
    match s {
        "None" => Token::Lit(Lit::None),
        "True" => Token::Lit(Lit::Bool(true)),
        "False" => Token::Lit(Lit::Bool(false)),
        _ => Token::Ident(s.to_string()),
    }
}
