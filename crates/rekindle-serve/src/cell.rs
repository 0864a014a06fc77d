//! One value of a JSON object.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A value that a cell of a table can have, or what it is instead. (Lists and objects are looked through, and not kept.)
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Boolean(bool),
    Number(String),
    Text(String),
    List,
    Object,
}

impl Cell {
    /// What it is, with an article.
    pub fn describe(&self) -> &'static str {
        match self {
            Cell::Null => "null",
            Cell::Boolean(_) => "true or false",
            Cell::Number(_) => "a number",
            Cell::Text(_) => "a text",
            Cell::List => "a list",
            Cell::Object => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Boolean(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Number(value.to_string()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Number(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }
    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::List)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Object)
    }
}

/// The names and values of an object, in their order.
pub(crate) type Row = Vec<(String, Cell)>;

/// One object, or a list of them.
pub(crate) struct Rows {
    pub rows: Vec<Row>,
    /// How many there were, also of those that were not kept.
    pub count: usize,
}

/// Reads objects, or a list of values; keeps no more of them than can be of use, so that memory has a bound.
#[derive(Clone, Copy)]
pub(crate) struct Most {
    pub rows: usize,
    /// In a row.
    pub values: usize,
}

impl Most {
    fn row<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Vec::new();
        while row.len() < self.values {
            match map.next_entry()? {
                Some(entry) => row.push(entry),
                None => return Ok(row),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(row)
    }
}

const OBJECTS: &str = "an object for each sample, such as {\"column\": value}";

impl<'de> DeserializeSeed<'de> for Most {
    type Value = Rows;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Rows, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Most {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{OBJECTS}, or a list of them")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rows, A::Error> {
        Ok(Rows { rows: vec![self.row(map)?], count: 1 })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Rows, A::Error> {
        let (rows, count) = first(seq, self.rows, OneRow(self))?;
        Ok(Rows { rows, count })
    }
}

/// The first values of a list, and how many there were.
fn first<'de, A: SeqAccess<'de>, S: DeserializeSeed<'de> + Copy>(
    mut seq: A,
    most: usize,
    seed: S,
) -> Result<(Vec<S::Value>, usize), A::Error> {
    let mut values = Vec::new();
    while values.len() < most {
        match seq.next_element_seed(seed)? {
            Some(value) => values.push(value),
            None => {
                let count = values.len();
                return Ok((values, count));
            }
        }
    }
    let mut count = values.len();
    while seq.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok((values, count))
}

#[derive(Clone, Copy)]
struct OneRow(Most);

impl<'de> DeserializeSeed<'de> for OneRow {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(OBJECTS)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row, A::Error> {
        self.0.row(map)
    }
}

/// Reads a list of values; keeps so many.
pub(crate) struct Cells(pub usize);

impl<'de> DeserializeSeed<'de> for Cells {
    type Value = Vec<Cell>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Cell>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Cells {
    type Value = Vec<Cell>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of values")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<Cell>, A::Error> {
        first(seq, self.0, PhantomData).map(|(cells, _)| cells)
    }
}
