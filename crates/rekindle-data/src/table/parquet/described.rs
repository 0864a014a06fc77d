//! What a file's descriptions are made of.
//!
//! The parquet crate does not look at the types of the fields that it knows. Where they are others it takes what follows for something
//! else, such as lists of billions of booleans, of which it passes over each without a byte of the file. So every description is held
//! against the format before the crate sees it. (Source: `parquet.thrift` of Apache Parquet.)

use std::io::{self, Read};

use super::thrift::{self, BINARY, Kind, LIST, STRUCT, Thrift};
use Holds::{Boolean, List, Other, Plain, Struct};

/// What a field holds.
pub(super) enum Holds {
    /// A number of one of its types, a text, or a struct of which nothing is looked at.
    Plain(Kind),
    Boolean,
    Struct(Described),
    List(&'static Holds),
    /// There is no such field; whatever it is, it is passed over, as the crate does.
    Other,
}

/// The fields of a struct that the crate knows, the first of which has the number 1.
pub(super) type Described = &'static [Holds];

const I8: Holds = Plain(thrift::I8);
const I16: Holds = Plain(thrift::I16);
const I32: Holds = Plain(thrift::I32);
const I64: Holds = Plain(thrift::I64);
const DOUBLE: Holds = Plain(thrift::DOUBLE);
const TEXT: Holds = Plain(BINARY);
const EMPTY: Holds = Struct(&[]);
/// Statistics of pages.
const PASSED: Holds = Plain(STRUCT);

/// The description at the end of a file.
#[rustfmt::skip]
pub(super) const FILE: Described = &[
    I32, List(&Struct(COLUMN)), I64, List(&Struct(ROW_GROUP)), PAIRS, TEXT, List(&Struct(&[EMPTY, EMPTY])),
];

/// The description before a page.
#[rustfmt::skip]
pub(super) const PAGE: Described = &[
    I32, I32, I32, I32,
    Struct(&[I32, I32, I32, I32, PASSED]), EMPTY, Struct(&[I32, I32, Boolean]),
    Struct(&[I32, I32, I32, I32, I32, I32, Boolean, PASSED]),
];

const PAIRS: Holds = List(&Struct(&[TEXT, TEXT]));

const COLUMN: Described = &[I32, I32, I32, TEXT, I32, I32, I32, I32, I32, Struct(MEANING)];

/// One of these.
#[rustfmt::skip]
const MEANING: Described = &[
    EMPTY, EMPTY, EMPTY, EMPTY, Struct(&[I32, I32]), EMPTY, TIME, TIME, Other, Struct(&[I8, Boolean]),
    EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, Struct(&[I8]), Struct(&[TEXT]), Struct(&[TEXT, I32]), EMPTY,
];

const TIME: Holds = Struct(&[Boolean, Struct(&[EMPTY, EMPTY, EMPTY])]);

const ROW_GROUP: Described =
    &[List(&Struct(CHUNK)), I64, I64, List(&Struct(&[I32, Boolean, Boolean])), I64, I64, I16];

const CHUNK: Described = &[TEXT, I64, Struct(CHUNK_METADATA), I64, I32, I64, I32, Other, TEXT];

#[rustfmt::skip]
const CHUNK_METADATA: Described = &[
    I32, List(&I32), List(&TEXT), I32, I64, I64, I64, PAIRS, I64, I64, I64,
    Struct(STATISTICS), List(&Struct(&[I32, I32, I32])), I64, I32,
    Struct(&[I64, List(&I64), List(&I64)]), Struct(&[Struct(&[DOUBLE; 8]), List(&I32)]),
];

const STATISTICS: Described = &[TEXT, TEXT, I64, I64, TEXT, TEXT, Boolean, Boolean, I64];

/// Reads a struct, which has to be as it is described.
pub(super) fn check<R: Read>(thrift: &mut Thrift<R>, described: Described, depth: usize) -> io::Result<()> {
    thrift.fields(depth, |thrift, number, kind| check_field(thrift, described, number, kind, depth))
}

/// Reads a field of such a struct; says `false` if it is not described, and to be passed over.
pub(super) fn check_field<R: Read>(
    thrift: &mut Thrift<R>,
    described: Described,
    number: i64,
    kind: Kind,
    depth: usize,
) -> io::Result<bool> {
    let known = usize::try_from(number - 1).ok().and_then(|i| described.get(i));
    match known {
        None | Some(Other) => Ok(false),
        Some(holds) => holds.check(thrift, kind, depth).map(|()| true),
    }
}

impl Holds {
    fn check<R: Read>(&self, thrift: &mut Thrift<R>, kind: Kind, depth: usize) -> io::Result<()> {
        match self {
            // A boolean's type is its value.
            Boolean if kind == 1 || kind == 2 => Ok(()),
            Plain(known) if *known == kind => thrift.skip(kind, false, depth),
            Struct(fields) if kind == STRUCT => check(thrift, fields, depth + 1),
            List(element) if kind == LIST => {
                let (kind, count) = thrift.list()?;
                (0..count).try_for_each(|_| element.check(thrift, kind, depth + 1))
            }
            _ => Err(thrift.wrong("a field of a wrong type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(described: Described, bytes: &[u8]) -> Result<(), String> {
        check(&mut Thrift::new(bytes, 0, bytes.len() as u64), described, 0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_field_of_another_type_is_refused_before_the_crate_takes_it_for_something_else() {
        // Field 5 with an integer inside of it, field 8 with both booleans as its field 7.
        for right in [&[0x5c, 0x15, 0, 0, 0][..], &[0x8c, 0x71, 0, 0], &[0x8c, 0x72, 0, 0]] {
            assert_eq!(said(PAGE, right), Ok(()));
        }
        // Field 5 as a list, and as a struct whose first field is a text.
        for wrong in [&[0x59, 0x05, 0][..], &[0x5c, 0x18, 0, 0, 0]] {
            assert!(said(PAGE, wrong).unwrap_err().contains("wrong type at byte"), "{wrong:?}");
        }
    }

    #[test]
    fn lists_hold_what_is_described() {
        // No columns, said with the type 0, as some writers do; one column with an integer; row groups of one chunk with an offset.
        for right in
            [&[0x29, 0, 0][..], &[0x29, 0x1c, 0x15, 2, 0, 0], &[0x49, 0x1c, 0x19, 0x1c, 0x26, 2, 0, 0, 0]]
        {
            assert_eq!(said(FILE, right), Ok(()), "{right:?}");
        }
        // A column that is an integer; a chunk whose offset is a list of booleans; a statistic in an integer's place.
        for wrong in [
            &[0x29, 0x15, 2, 0][..],
            &[0x49, 0x1c, 0x19, 0x1c, 0x29, 0xf1, 0xff, 0x7f, 0, 0, 0, 0],
            &[0x38, 0, 0],
        ] {
            assert!(said(FILE, wrong).unwrap_err().contains("wrong type at byte"), "{wrong:?}");
        }
    }
}
