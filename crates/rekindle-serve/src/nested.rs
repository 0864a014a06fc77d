//! Numbers in nested lists of JSON, read straight into memory.

use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use std::fmt;

/// The deepest lists that are read: samples have fewer dimensions.
const DEEPEST: usize = 8;

/// Numbers, and the lengths of the lists that they came in, from the outermost on.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Nested {
    pub values: Vec<f64>,
    pub shape: Vec<usize>,
    /// The depth of the first number; all others have it, too.
    leaf: Option<usize>,
}

impl Nested {
    /// # Errors
    /// Those of JSON, and if lists are ragged or hold something else than numbers.
    pub fn from_json(text: &str) -> serde_json::Result<Nested> {
        let mut nested = Nested::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        Level { into: &mut nested, depth: 0 }.deserialize(&mut reader)?;
        reader.end()?;
        Ok(nested)
    }

    fn push<E: de::Error>(&mut self, value: f64, depth: usize) -> Result<(), E> {
        if depth != *self.leaf.get_or_insert(depth) {
            return Err(E::custom("lists and numbers side by side"));
        }
        self.values.push(value);
        Ok(())
    }

    /// Notes that a list at `depth` has come to its end with so many elements.
    fn close<E: de::Error>(&mut self, depth: usize, count: usize) -> Result<(), E> {
        if self.shape.len() <= depth {
            // Inner lists end first, so that theirs are known; those between are filled in as they end.
            self.shape.resize(depth + 1, usize::MAX);
        }
        match &mut self.shape[depth] {
            known if *known == usize::MAX => *known = count,
            known if *known == count => {}
            known => {
                return Err(E::custom(format!(
                    "a list of {count} where the ones before have {known}; lists of one level are of one length"
                )));
            }
        }
        if count == 0 || self.leaf.is_some_and(|leaf| leaf > depth) {
            return Ok(());
        }
        Err(E::custom("lists and numbers side by side"))
    }
}

/// What is at some depth.
struct Level<'a> {
    into: &'a mut Nested,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number or a list of numbers")
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.into.push(value, self.depth)
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.into.push(value as f64, self.depth)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.into.push(value as f64, self.depth)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Level { into, depth } = self;
        if depth == DEEPEST {
            return Err(de::Error::custom(format!("lists are nested more than {DEEPEST} deep")));
        }
        let mut count = 0;
        while seq.next_element_seed(Level { into, depth: depth + 1 })?.is_some() {
            count += 1;
        }
        into.close(depth, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(Vec<usize>, Vec<f64>), String> {
        Nested::from_json(text).map(|n| (n.shape, n.values)).map_err(|e| e.to_string())
    }

    #[test]
    fn lists_have_the_shape_of_their_lengths() {
        assert_eq!(
            of("[[1, 2.5], [-3, 1e2], [0, -0.0]]"),
            Ok((vec![3, 2], vec![1.0, 2.5, -3.0, 100.0, 0.0, 0.0]))
        );
        assert_eq!(of("[]"), Ok((vec![0], vec![])));
        assert_eq!(of("3"), Ok((vec![], vec![3.0])));
        assert_eq!(of("[[[7]]]"), Ok((vec![1, 1, 1], vec![7.0])));
    }

    #[test]
    fn what_is_not_a_block_of_numbers_is_said_with_its_place() {
        for (text, what) in [
            ("[[1, 2], [3]]", "a list of 1 where the ones before have 2"),
            ("[1, [2]]", "lists and numbers side by side"),
            ("[[1], 2]", "lists and numbers side by side"),
            ("[[], [1]]", "a list of 1 where the ones before have 0"),
            ("[[1], []]", "a list of 0 where the ones before have 1"),
            ("[[[1]], [[]]]", "a list of 0 where the ones before have 1"),
            ("[1, \"2\"]", "invalid type: string \"2\", expected a number or a list of numbers"),
            ("[1, null]", "invalid type: null, expected a number"),
            ("[1e999]", "number out of range"),
            ("[[[[[[[[[1]]]]]]]]]", "nested more than 8 deep"),
            ("[1, NaN]", "expected value at line 1 column 5"),
            ("[1] 2", "trailing characters"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(what) && error.contains("at line 1 column"), "{text}: {error}");
        }
    }
}
