//! A word that recipes may use for a layer, a loss or an optimiser: one line of a table each.

use crate::call::{Arguments, Call, nearest};

/// A word: its name, PyTorch's parameter names in PyTorch's order, and how to build it from arguments and `I`.
pub(crate) struct Word<I, T> {
    pub name: &'static str,
    pub parameters: &'static [&'static str],
    build: fn(&Arguments<'_>, I) -> Result<T, String>,
}

/// A line of a table of words.
pub(crate) const fn word<I, T>(
    name: &'static str,
    parameters: &'static [&'static str],
    build: fn(&Arguments<'_>, I) -> Result<T, String>,
) -> Word<I, T> {
    Word { name, parameters, build }
}

/// Builds what `text` says by the line of its word; `key` is the recipe's key that it stands under.
///
/// # Errors
/// One line that names the key and the word, with the nearest valid name if there is none of this name.
pub(crate) fn build<I, T>(key: &str, words: &[Word<I, T>], text: &str, input: I) -> Result<T, String> {
    let result = Call::parse(text).and_then(|call| {
        let word = find(words, &call)?;
        let arguments = call.arguments(word.parameters)?;
        // Options that no layer can have are mistakes in Rust; in a recipe they are errors.
        rekindle_tensor::check(|| (word.build)(&arguments, input))
            .unwrap_or_else(|e| Err(format!("`{call}`: {e}")))
    });
    result.map_err(|e| format!("{key}: {e}"))
}

fn find<'a, I, T>(words: &'a [Word<I, T>], call: &Call) -> Result<&'a Word<I, T>, String> {
    words.iter().find(|w| w.name == call.name).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|w| w.name).collect();
        format!("there is no `{}`{}", call.name, nearest(&call.name, &names))
    })
}
