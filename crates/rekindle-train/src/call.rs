//! PyTorch's words in a recipe: `Linear(784, 32)`, `Dropout(0.5)`, `SGD(lr=0.1, nesterov=true)`, `ReLU`.

use std::collections::BTreeMap;
use std::fmt;

/// A name with positional and named arguments.
///
/// ```
/// use rekindle_train::Call;
/// let call = Call::parse("Conv2d(1, 64, 5, padding=2)").unwrap();
/// assert_eq!((call.name.as_str(), call.to_string().as_str()), ("Conv2d", "Conv2d(1, 64, 5, padding=2)"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The word before the parenthesis.
    pub name: String,
    args: Vec<Arg>,
    named: BTreeMap<String, Arg>,
}

/// An argument: a number, a truth value, or `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Arg {
    Number(f64),
    Bool(bool),
    None,
}

impl Arg {
    fn parse(text: &str) -> Option<Arg> {
        match text {
            "true" | "True" => Some(Arg::Bool(true)),
            "false" | "False" => Some(Arg::Bool(false)),
            "None" | "none" => Some(Arg::None),
            _ => text.parse().ok().map(Arg::Number),
        }
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arg::Number(v) => write!(f, "{v}"),
            Arg::Bool(v) => write!(f, "{v}"),
            Arg::None => f.write_str("None"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positional = self.args.iter().map(Arg::to_string);
        let named = self.named.iter().map(|(k, v)| format!("{k}={v}"));
        let all: Vec<String> = positional.chain(named).collect();
        if all.is_empty() { f.write_str(&self.name) } else { write!(f, "{}({})", self.name, all.join(", ")) }
    }
}

impl Call {
    /// Reads a call from text.
    ///
    /// # Errors
    /// One line that says what is not understood.
    pub fn parse(text: &str) -> Result<Call, String> {
        let text = text.trim();
        let (name, inside) = match text.split_once('(') {
            None => (text, ""),
            Some((name, rest)) => {
                let inside = rest
                    .strip_suffix(')')
                    .ok_or_else(|| format!("`{text}` lacks its closing parenthesis"))?;
                (name.trim(), inside)
            }
        };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{text}` is not a name with arguments such as `Linear(784, 32)`"));
        }
        let mut call = Call { name: name.to_string(), args: Vec::new(), named: BTreeMap::new() };
        for part in inside.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (key, value) = match part.split_once('=') {
                Some((k, v)) => (Some(k.trim()), v.trim()),
                None => (None, part),
            };
            let arg = Arg::parse(value)
                .ok_or_else(|| format!("`{text}`: `{value}` is neither a number, true, false nor None"))?;
            match key {
                Some(k) if call.named.contains_key(k) => {
                    return Err(format!("`{text}`: `{k}` is given twice"));
                }
                Some(k) => drop(call.named.insert(k.to_string(), arg)),
                None if !call.named.is_empty() => {
                    return Err(format!("`{text}`: `{part}` stands after a named argument; name it too"));
                }
                None => call.args.push(arg),
            }
        }
        Ok(call)
    }

    /// Reads the arguments by PyTorch's parameter names; what was not read by the end is an error.
    pub fn arguments<'a>(&'a self, names: &'static [&'static str]) -> Result<Arguments<'a>, String> {
        if self.args.len() > names.len() {
            return Err(format!(
                "`{self}`: {} takes at most {} arguments: {}",
                self.name,
                names.len(),
                names.join(", ")
            ));
        }
        for key in self.named.keys() {
            match names.iter().position(|n| n == key) {
                None => {
                    return Err(format!(
                        "`{self}`: {} has no argument `{key}`{}",
                        self.name,
                        nearest(key, names)
                    ));
                }
                Some(i) if i < self.args.len() => return Err(format!("`{self}`: `{key}` is given twice")),
                Some(_) => {}
            }
        }
        Ok(Arguments { call: self, names })
    }
}

/// The arguments of a call, looked up by name.
pub struct Arguments<'a> {
    call: &'a Call,
    names: &'static [&'static str],
}

impl Arguments<'_> {
    fn get(&self, name: &str) -> Option<Arg> {
        let at = self.names.iter().position(|n| *n == name);
        at.and_then(|i| self.call.args.get(i)).or_else(|| self.call.named.get(name)).copied()
    }

    /// A number, or the default.
    ///
    /// # Errors
    /// If another kind of value was given.
    pub fn number(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.get(name) {
            None => Ok(default),
            Some(Arg::Number(v)) if v.is_finite() => Ok(v),
            Some(other) => Err(format!("`{}`: {name} must be a finite number, not {other}", self.call)),
        }
    }

    /// A learning rate: a number above 0, or the default.
    ///
    /// # Errors
    /// If it is not.
    pub fn rate(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.number(name, default)? {
            v if v > 0.0 => Ok(v),
            v => Err(format!("`{}`: {name} must be above 0, not {v}", self.call)),
        }
    }

    /// A probability from 0 to 1, or the default.
    ///
    /// # Errors
    /// If it is not.
    pub fn probability(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.number(name, default)? {
            v if (0.0..=1.0).contains(&v) => Ok(v),
            v => Err(format!("`{}`: {name} must be from 0 to 1, not {v}", self.call)),
        }
    }

    /// A whole number, or the default.
    ///
    /// # Errors
    /// If it is not a whole number.
    pub fn count(&self, name: &str, default: usize) -> Result<usize, String> {
        match self.get(name) {
            None => Ok(default),
            Some(Arg::Number(v)) if (0.0..1e9).contains(&v) && v.fract() == 0.0 => Ok(v as usize),
            Some(other) => Err(format!("`{}`: {name} must be a whole number, not {other}", self.call)),
        }
    }

    /// A whole number of at least 1, which must be given.
    ///
    /// # Errors
    /// If it is missing or not such a number.
    pub fn size(&self, name: &str) -> Result<usize, String> {
        match self.count(name, 0)? {
            0 if self.get(name).is_none() => Err(format!("`{}`: {name} is missing", self.call)),
            0 => Err(format!("`{}`: {name} must be at least 1", self.call)),
            n => Ok(n),
        }
    }

    /// A truth value, or the default.
    ///
    /// # Errors
    /// If another kind of value was given.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(default),
            Some(Arg::Bool(v)) => Ok(v),
            Some(other) => Err(format!("`{}`: {name} must be true or false, not {other}", self.call)),
        }
    }
}

/// `; did you mean ..?` with the nearest of the valid names, when one is near.
pub(crate) fn nearest(word: &str, names: &[&str]) -> String {
    let best = names.iter().min_by_key(|n| distance(&word.to_lowercase(), &n.to_lowercase()));
    match best {
        Some(n) if distance(&word.to_lowercase(), &n.to_lowercase()) <= 2 => format!("; did you mean `{n}`?"),
        _ => format!("; valid are {}", names.join(", ")),
    }
}

/// Levenshtein's distance, by the usual table of one row.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_read_as_in_python() {
        let call = Call::parse(" SGD( lr=1e-1, nesterov = True ) ").unwrap();
        let args = call.arguments(&["lr", "momentum", "nesterov"]).unwrap();
        assert_eq!(args.number("lr", 1e-3), Ok(0.1));
        assert_eq!(args.number("momentum", 0.0), Ok(0.0));
        assert_eq!(args.flag("nesterov", false), Ok(true));
    }

    #[test]
    fn mistakes_are_named() {
        let says = |text: &str| {
            Call::parse(text).and_then(|c| c.arguments(&["lr", "momentum"]).map(|_| ())).unwrap_err()
        };
        assert_eq!(says("SGD(lr=0.1"), "`SGD(lr=0.1` lacks its closing parenthesis");
        assert_eq!(says("SGD(lr=fast)"), "`SGD(lr=fast)`: `fast` is neither a number, true, false nor None");
        assert_eq!(says("SGD(0.1, lr=0.2)"), "`SGD(0.1, lr=0.2)`: `lr` is given twice");
        assert_eq!(
            says("SGD(momentun=0.9)"),
            "`SGD(momentun=0.9)`: SGD has no argument `momentun`; did you mean `momentum`?"
        );
        assert_eq!(says("SGD(1, 2, 3)"), "`SGD(1, 2, 3)`: SGD takes at most 2 arguments: lr, momentum");
        assert!(says("1 + 1").contains("not a name with arguments"));
    }
}
