//! PyTorch's words in a recipe: `Linear(784, 32)`, `Dropout(0.5)`, `SGD(lr=0.1, nesterov=true)`, `ReLU`.

use rekindle_data::edit_distance;
use rekindle_tensor::Tensor;
use std::collections::BTreeMap;
use std::fmt;

/// The most numbers that a layer of a recipe may hold, half a gigabyte in f32, and the largest whole number that an
/// argument may be. A recipe is read from a file, and no file may make the program take all memory. (Fuzzers have less: they look
/// for memory that nobody asked for.)
#[allow(unexpected_cfgs, reason = "cargo-fuzz says so")]
pub(crate) const LIMIT: usize = if cfg!(fuzzing) { 1 << 15 } else { 1 << 27 };

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

/// An argument: a number, several in brackets, a truth value, or `None`.
#[derive(Clone, Debug, PartialEq)]
enum Arg {
    Number(f64),
    List(Vec<f64>),
    Bool(bool),
    None,
}

impl Arg {
    fn parse(text: &str) -> Option<Arg> {
        match text {
            "true" | "True" => Some(Arg::Bool(true)),
            "false" | "False" => Some(Arg::Bool(false)),
            "None" | "none" => Some(Arg::None),
            _ => match text.strip_prefix(['(', '[']).and_then(|t| t.strip_suffix([')', ']'])) {
                Some(inside) => {
                    let numbers = parts(inside).into_iter().map(|n| n.parse().ok());
                    numbers.collect::<Option<Vec<f64>>>().map(Arg::List)
                }
                None => text.parse().ok().map(Arg::Number),
            },
        }
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arg::Number(v) => write!(f, "{v}"),
            Arg::List(all) => {
                let all: Vec<String> = all.iter().map(f64::to_string).collect();
                write!(f, "({})", all.join(", "))
            }
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
        if text.contains(char::is_control) {
            return Err(format!("{text:?} has line breaks or control characters in it"));
        }
        let (name, inside) = match text.split_once('(') {
            None => (text, ""),
            Some((name, rest)) => {
                let inside = rest
                    .strip_suffix(')')
                    .ok_or_else(|| format!("`{text}` lacks its closing parenthesis"))?;
                (name.trim(), inside)
            }
        };
        let is_name =
            |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name(name) {
            return Err(format!("`{text}` is not a name with arguments such as `Linear(784, 32)`"));
        }
        let mut call = Call { name: name.to_string(), args: Vec::new(), named: BTreeMap::new() };
        for part in parts(inside) {
            if part.is_empty() {
                return Err(format!("`{text}`: an argument between two commas is missing"));
            }
            let (key, value) = match part.split_once('=') {
                Some((k, v)) => (Some(k.trim()), v.trim()),
                None => (None, part),
            };
            if key.is_some_and(|k| !is_name(k)) {
                return Err(format!("`{text}`: `{part}` must be a name, `=` and a value"));
            }
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

    /// The same call with another value of its first argument, which has this name.
    ///
    /// ```
    /// use rekindle_train::Call;
    /// let call = Call::parse("SGD(0.1, momentum=0.9)").unwrap();
    /// assert_eq!(call.with_first("lr", 0.5).to_string(), "SGD(0.5, momentum=0.9)");
    /// assert_eq!(Call::parse("Adam").unwrap().with_first("lr", 0.5).to_string(), "Adam(lr=0.5)");
    /// ```
    pub fn with_first(mut self, name: &str, value: f64) -> Call {
        match self.args.first_mut() {
            Some(first) => *first = Arg::Number(value),
            None => drop(self.named.insert(name.to_string(), Arg::Number(value))),
        }
        self
    }

    /// The arguments by PyTorch's parameter names, in PyTorch's order.
    ///
    /// # Errors
    /// If there are too many arguments, or one has a name that is not among `names`, or is given twice.
    pub(crate) fn arguments<'a>(&'a self, names: &'static [&'static str]) -> Result<Arguments<'a>, String> {
        if names.is_empty() && !(self.args.is_empty() && self.named.is_empty()) {
            return Err(format!("`{self}`: {} takes no arguments in a recipe", self.name));
        }
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

/// The text between parentheses, cut at its commas; those of a list do not count, and one may stand at the end.
fn parts(inside: &str) -> Vec<&str> {
    let mut depth = 0i32;
    let at_comma = |c: char| {
        depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
        c == ',' && depth == 0
    };
    let mut parts: Vec<&str> = inside.split(at_comma).map(str::trim).collect();
    if inside.trim().is_empty() || (parts.len() > 1 && parts.last() == Some(&"")) {
        parts.pop();
    }
    parts
}

/// The arguments of a call, looked up by name.
pub(crate) struct Arguments<'a> {
    call: &'a Call,
    names: &'static [&'static str],
}

impl Arguments<'_> {
    fn get(&self, name: &str) -> Option<Arg> {
        let at = self.names.iter().position(|n| *n == name);
        at.and_then(|i| self.call.args.get(i)).or_else(|| self.call.named.get(name)).cloned()
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

    /// A pair of numbers, or the default.
    pub fn pair(&self, name: &str, default: (f64, f64)) -> Result<(f64, f64), String> {
        match self.get(name) {
            None => Ok(default),
            Some(Arg::List(all)) if all.len() == 2 && all.iter().all(|v| v.is_finite()) => {
                Ok((all[0], all[1]))
            }
            Some(other) => {
                Err(format!("`{}`: {name} must be a pair such as {default:?}, not {other}", self.call))
            }
        }
    }

    /// Positive numbers as a tensor, if they are given.
    pub fn weights(&self, name: &str) -> Result<Option<Tensor>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Arg::List(all)) if !all.is_empty() && all.iter().all(|v| v.is_finite() && *v > 0.0) => {
                Ok(Some(Tensor::from_vec(all.iter().map(|&v| v as f32).collect::<Vec<_>>(), all.len())))
            }
            Some(other) => {
                Err(format!("`{}`: {name} must be a list of numbers above 0, not {other}", self.call))
            }
        }
    }

    /// Whole numbers, which must be given.
    pub fn list(&self, name: &str) -> Result<Vec<usize>, String> {
        let whole = |v: &f64| v.fract() == 0.0 && (0.0..=LIMIT as f64).contains(v);
        match self.get(name) {
            Some(Arg::List(all)) if all.iter().all(whole) => {
                Ok(all.into_iter().map(|v| v as usize).collect())
            }
            None => Err(format!("`{}`: {name} is missing", self.call)),
            Some(other) => Err(format!(
                "`{}`: {name} must be a list of whole numbers such as [30, 80], not {other}",
                self.call
            )),
        }
    }

    /// A dimension, negative ones counted from the last, or the default.
    pub fn dim(&self, name: &str, default: isize) -> Result<isize, String> {
        match self.number(name, default as f64)? {
            v if v.fract() == 0.0 && v.abs() < 64.0 => Ok(v as isize),
            v => Err(format!("`{}`: {name} must be a dimension such as 1 or -1, not {v}", self.call)),
        }
    }

    /// A whole number from `least` to [`LIMIT`], or the default.
    fn whole(&self, name: &str, least: usize, default: Option<usize>) -> Result<usize, String> {
        let wrong = |other: &dyn fmt::Display| {
            Err(format!(
                "`{}`: {name} must be a whole number from {least} to {LIMIT}, not {other}",
                self.call
            ))
        };
        match (self.get(name), default) {
            (Some(Arg::Number(v)), _) if v.fract() == 0.0 && (least as f64..=LIMIT as f64).contains(&v) => {
                Ok(v as usize)
            }
            (Some(other), _) => wrong(&other),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(format!("`{}`: {name} is missing", self.call)),
        }
    }

    /// A whole number of at least 0, or the default.
    pub fn count(&self, name: &str, default: usize) -> Result<usize, String> {
        self.whole(name, 0, Some(default))
    }

    /// A whole number of at least 1, or the default.
    pub fn positive(&self, name: &str, default: usize) -> Result<usize, String> {
        self.whole(name, 1, Some(default))
    }

    /// A whole number of at least 1, which must be given.
    pub fn size(&self, name: &str) -> Result<usize, String> {
        self.whole(name, 1, None)
    }

    /// The [`size`](Self::size)s of something that holds their product of numbers, at most [`LIMIT`].
    pub fn sizes<const N: usize>(&self, names: [&str; N]) -> Result<[usize; N], String> {
        let mut sizes = [0; N];
        for (size, name) in sizes.iter_mut().zip(names) {
            *size = self.size(name)?;
        }
        let product = sizes.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        self.within_limit(product, || sizes.map(|n| n.to_string()).join(" x "))?;
        Ok(sizes)
    }

    /// Refuses more than [`LIMIT`] numbers (none: more than can be counted), made as `how` says.
    pub fn within_limit(&self, numbers: Option<usize>, how: impl FnOnce() -> String) -> Result<(), String> {
        match numbers {
            Some(numbers) if numbers <= LIMIT => Ok(()),
            _ => Err(format!(
                "`{}`: {} is more than {LIMIT} numbers, the most that one layer of a recipe may hold",
                self.call,
                how()
            )),
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
    let word = word.to_lowercase();
    let apart = names.iter().map(|name| (edit_distance(&word, &name.to_lowercase()), name));
    match apart.min_by_key(|(distance, _)| *distance) {
        None => String::new(),
        Some((0..=2, name)) => format!("; did you mean `{name}`?"),
        Some(_) => format!("; valid are {}", names.join(", ")),
    }
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
        assert_eq!(says("SGD(,,2,,1,)"), "`SGD(,,2,,1,)`: an argument between two commas is missing");
        let none = Call::parse("ReLU(inplace=true)").unwrap();
        let e = none.arguments(&[]).err().unwrap();
        assert_eq!(e, "`ReLU(inplace=true)`: ReLU takes no arguments in a recipe");
    }

    #[test]
    fn a_comma_may_stand_at_the_end_and_inside_a_pair() {
        let call = Call::parse("Adam(0.1, (0.8, 0.9),)").unwrap();
        let args = call.arguments(&["lr", "betas"]).unwrap();
        assert_eq!((args.number("lr", 0.0), args.pair("betas", (0.9, 0.99))), (Ok(0.1), Ok((0.8, 0.9))));
        assert_eq!(call.to_string(), "Adam(0.1, (0.8, 0.9))");
        assert!(
            args.pair("lr", (0.9, 0.999))
                .unwrap_err()
                .ends_with("lr must be a pair such as (0.9, 0.999), not 0.1")
        );
    }

    #[test]
    fn whole_numbers_have_bounds_and_products_too() {
        let call = Call::parse("L(0, 1.5, 10000, 1e300)").unwrap();
        let args = call.arguments(&["a", "b", "c", "d", "e"]).unwrap();
        assert_eq!((args.count("a", 7), args.positive("e", 7)), (Ok(0), Ok(7)));
        for (name, says) in
            [("a", "from 1 to 134217728, not 0"), ("b", "not 1.5"), ("d", "not 1000"), ("e", "e is missing")]
        {
            assert!(args.size(name).unwrap_err().contains(says), "{name}");
        }
        assert_eq!(args.sizes(["c"]), Ok([10000]));
        let e = args.sizes(["c", "c", "c"]).unwrap_err();
        assert!(e.contains("10000 x 10000 x 10000 is more than 134217728 numbers"), "{e}");
    }
}
