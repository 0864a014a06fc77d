//! What the TOML parser says, in one line and in a recipe's words.

use crate::call::nearest;

/// `line 4, column 1: unknown field `epochz`; did you mean `epochs`?`
pub(crate) fn line(text: &str, e: &toml::de::Error) -> String {
    let message = in_recipe_words(&e.message().lines().collect::<Vec<_>>().join(", "));
    let Some(span) = e.span() else { return message };
    let before = &text.as_bytes()[..span.start.min(text.len())];
    let row = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column =
        String::from_utf8_lossy(before.rsplit(|&b| b == b'\n').next().unwrap_or_default()).chars().count()
            + 1;
    format!("line {row}, column {column}: {message}")
}

/// Unknown names get the nearest one, and Rust's types get the names of TOML's.
fn in_recipe_words(message: &str) -> String {
    if let Some((start, valid)) = message.split_once(", expected ")
        && start.starts_with("unknown ")
    {
        let word = start.split('`').nth(1).unwrap_or_default();
        let valid: Vec<&str> = valid.split('`').skip(1).step_by(2).collect();
        return format!("{start}{}", nearest(word, &valid));
    }
    const WORDS: [(&str, &str); 7] = [
        ("expected usize", "expected a whole number of at least 0"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list in [ ]"),
        ("expected a boolean", "expected true or false"),
        ("expected struct ", "expected a table of the keys of "),
    ];
    match WORDS.iter().find(|(rust, _)| message.contains(rust)) {
        Some((rust, words)) => message.replace(rust, words),
        None => message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{CIRCLES, Recipe};

    fn says(from: &str, to: &str) -> String {
        assert!(CIRCLES.contains(from), "the recipe has {from:?}");
        let e = Recipe::from_toml(&CIRCLES.replace(from, to)).unwrap_err().to_string();
        assert!(!e.contains('\n'), "one line: {e}");
        e
    }

    #[test]
    fn unknown_keys_have_a_place_and_the_nearest_key() {
        assert_eq!(
            says("epochs", "epochz"),
            "line 5, column 1: unknown field `epochz`; did you mean `epochs`?"
        );
        let e = says("noise = 0.03", "noize = 0.03");
        assert_eq!(e, "line 13, column 1: unknown field `noize`; did you mean `noise`?");
        let e = says("source = \"circles\"", "source = \"circle\"");
        assert_eq!(e, "line 11, column 10: unknown variant `circle`; did you mean `circles`?");
        assert!(says("every = 100", "evry = 100").ends_with("did you mean `every`?"));
    }

    #[test]
    fn wrong_types_point_at_the_value_in_words_of_the_recipe() {
        let e = says("samples = 1000", "samples = \"many\"");
        assert_eq!(
            e,
            "line 12, column 11: invalid type: string \"many\", expected a whole number of at least 0"
        );
        let e = says("noise = 0.03", "noise = true");
        assert_eq!(e, "line 13, column 9: invalid type: boolean `true`, expected a number");
        assert!(says("seed = 42", "seed = 1.5").ends_with("expected a whole number"));
        assert!(
            says("net = [", "net = 5 # [")
                .contains("line 6, column 7: invalid type: integer `5`, expected a list")
        );
        assert!(says("random_state = 42", "random_state = -1").contains("line 14"));
        assert!(says("noise = 0.03", "noise = 0.03\ncenters = 4").contains("data: circles has no `centers`"));
        assert!(says("seed = 42", "seed = ").starts_with("line 4, column "));
    }
}
