//! What a file's descriptions are made of.
//!
//! The parquet crate does not look at the types of the fields that it knows. Where they are others it takes what follows for something
//! else, such as lists of billions of booleans, of which it passes over each without a byte of the file. So every description is held
//! against the format before the crate sees it. (Source: `parquet.thrift` of Apache Parquet.)

use std::io::{self, Read};

use super::thrift::{BINARY, DOUBLE, I8, I16, I32, I64, Kind, LIST, STRUCT, Thrift};
use Holds::{Boolean, List, Plain, Struct};

/// What a field holds.
pub(super) enum Holds {
    Plain(Kind),
    Boolean,
    Struct(Described),
    List(&'static Holds),
}

/// The fields of a struct that the crate knows, by their numbers; it passes over others, as we do.
pub(super) type Described = &'static [(i64, Holds)];

/// The description at the end of a file.
pub(super) const FILE: Described = &[
    (1, Plain(I32)),
    (2, List(&Struct(COLUMN))),
    (3, Plain(I64)),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(&[(1, Plain(BINARY)), (2, Plain(BINARY))]))),
    (6, Plain(BINARY)),
    (7, List(&Struct(&[(1, EMPTY), (2, EMPTY)]))),
];

/// The description before a page; its statistics are passed over.
pub(super) const PAGE: Described = &[
    (1, Plain(I32)),
    (2, Plain(I32)),
    (3, Plain(I32)),
    (4, Plain(I32)),
    (5, Struct(&[(1, Plain(I32)), (2, Plain(I32)), (3, Plain(I32)), (4, Plain(I32)), (5, Plain(STRUCT))])),
    (6, EMPTY),
    (7, Struct(&[(1, Plain(I32)), (2, Plain(I32)), (3, Boolean)])),
    (
        8,
        Struct(&[
            (1, Plain(I32)),
            (2, Plain(I32)),
            (3, Plain(I32)),
            (4, Plain(I32)),
            (5, Plain(I32)),
            (6, Plain(I32)),
            (7, Boolean),
            (8, Plain(STRUCT)),
        ]),
    ),
];

const EMPTY: Holds = Struct(&[]);

const COLUMN: Described = &[
    (1, Plain(I32)),
    (2, Plain(I32)),
    (3, Plain(I32)),
    (4, Plain(BINARY)),
    (5, Plain(I32)),
    (6, Plain(I32)),
    (7, Plain(I32)),
    (8, Plain(I32)),
    (9, Plain(I32)),
    (10, Struct(MEANING)),
];

/// One of these; those that are not here have no fields.
const MEANING: Described = &[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, Plain(I32)), (2, Plain(I32))])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, Plain(I8)), (2, Boolean)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Plain(I8))])),
    (17, Struct(&[(1, Plain(BINARY))])),
    (18, Struct(&[(1, Plain(BINARY)), (2, Plain(I32))])),
    (19, EMPTY),
];

const TIME: Holds = Struct(&[(1, Boolean), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))]);

const ROW_GROUP: Described = &[
    (1, List(&Struct(CHUNK))),
    (2, Plain(I64)),
    (3, Plain(I64)),
    (4, List(&Struct(&[(1, Plain(I32)), (2, Boolean), (3, Boolean)]))),
    (5, Plain(I64)),
    (6, Plain(I64)),
    (7, Plain(I16)),
];

const CHUNK: Described = &[
    (1, Plain(BINARY)),
    (2, Plain(I64)),
    (3, Struct(CHUNK_METADATA)),
    (4, Plain(I64)),
    (5, Plain(I32)),
    (6, Plain(I64)),
    (7, Plain(I32)),
    (9, Plain(BINARY)),
];

const CHUNK_METADATA: Described = &[
    (1, Plain(I32)),
    (2, List(&Plain(I32))),
    (3, List(&Plain(BINARY))),
    (4, Plain(I32)),
    (5, Plain(I64)),
    (6, Plain(I64)),
    (7, Plain(I64)),
    (8, List(&Struct(&[(1, Plain(BINARY)), (2, Plain(BINARY))]))),
    (9, Plain(I64)),
    (10, Plain(I64)),
    (11, Plain(I64)),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, Plain(I32)), (2, Plain(I32)), (3, Plain(I32))]))),
    (14, Plain(I64)),
    (15, Plain(I32)),
    (16, Struct(&[(1, Plain(I64)), (2, List(&Plain(I64))), (3, List(&Plain(I64)))])),
    (17, Struct(&[(1, Struct(BOX)), (2, List(&Plain(I32)))])),
];

const STATISTICS: Described = &[
    (1, Plain(BINARY)),
    (2, Plain(BINARY)),
    (3, Plain(I64)),
    (4, Plain(I64)),
    (5, Plain(BINARY)),
    (6, Plain(BINARY)),
    (7, Boolean),
    (8, Boolean),
    (9, Plain(I64)),
];

const BOX: Described = &[
    (1, Plain(DOUBLE)),
    (2, Plain(DOUBLE)),
    (3, Plain(DOUBLE)),
    (4, Plain(DOUBLE)),
    (5, Plain(DOUBLE)),
    (6, Plain(DOUBLE)),
    (7, Plain(DOUBLE)),
    (8, Plain(DOUBLE)),
];

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
    match described.iter().find(|(known, _)| *known == number) {
        Some((_, holds)) => holds.check(thrift, kind, depth).map(|()| true),
        None => Ok(false),
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
