//! Malformed tables, each with the exact line that reports it.

use super::*;

/// What reading says about bytes.
#[rustfmt::skip]
const READING: [(&[u8], &str); 37] = [
    (b"", "t.csv: line 1: the file is empty; write a header and at least one row"),
    (b"\n\r\n\r \n", "t.csv: line 1: the file is empty; write a header and at least one row"),
    (b"\xef\xbb\xbf", "t.csv: line 1: the file is empty; write a header and at least one row"),
    (b"a,b", "t.csv: line 1: a header, but no rows; write at least one row below it"),
    (b"a,b\n\n\n", "t.csv: line 1: a header, but no rows; write at least one row below it"),
    (b"a,b\n1,2\n3\n", "t.csv: line 3: 1 cell, but the table has 2 columns; add what is missing"),
    (b"a,b\n1,2\n3,4,5\n", "t.csv: line 3: 3 cells, but the table has 2 columns; quote cells that contain the delimiter"),
    (b"a,b\n1,2,\n", "t.csv: line 2: 3 cells, but the table has 2 columns; quote cells that contain the delimiter"),
    (b"a\n1,2\n", "t.csv: line 2: 2 cells, but the table has 1 column; quote cells that contain the delimiter"),
    (b"a,b\r\n1,2\r\n3\r\n", "t.csv: line 3: 1 cell, but the table has 2 columns; add what is missing"),
    (b"a,b\r1,2\r3\r", "t.csv: line 3: 1 cell, but the table has 2 columns; add what is missing"),
    (b"a,b\n\n\n1,2\n\n3\n", "t.csv: line 6: 1 cell, but the table has 2 columns; add what is missing"),
    (b"a,b\n\"x\ny\",2\n3\n", "t.csv: line 4: 1 cell, but the table has 2 columns; add what is missing"),
    (b"a,b\n\"x\r\ny\r\n\",2\r\n3\r\n", "t.csv: line 5: 1 cell, but the table has 2 columns; add what is missing"),
    (b"\xef\xbb\xbfa,b\n1\n", "t.csv: line 2: 1 cell, but the table has 2 columns; add what is missing"),
    (b"a,b\n1,\"2\n", "t.csv: line 2: the quote that opens here is never closed; close it, double it if it is part of the text, or read without quotes"),
    (b"a,b\n1,2\n3,\"4\n5,6\n7,8\n", "t.csv: line 3: the quote that opens here is never closed; close it, double it if it is part of the text, or read without quotes"),
    (b"\"a,b\n1,2\n", "t.csv: line 1: the quote that opens here is never closed; close it, double it if it is part of the text, or read without quotes"),
    (b"a,b\n\"x\ny\",\"z\n", "t.csv: line 3: the quote that opens here is never closed; close it, double it if it is part of the text, or read without quotes"),
    (b"a,b\n\"x\"\"\n", "t.csv: line 2: the quote that opens here is never closed; close it, double it if it is part of the text, or read without quotes"),
    (b"a,b\n\"x\"y,2\n", "t.csv: line 2: `y` follows a closing quote; double the quotes that are part of the text"),
    (b"a,b\n\"x\" \"y\",2\n", "t.csv: line 2: `\"` follows a closing quote; double the quotes that are part of the text"),
    (b"a,b\n1,2\n\"x\"\xea\xb0\x80,2\n", "t.csv: line 3: `가` follows a closing quote; double the quotes that are part of the text"),
    (b"a,b\n\"1\" 2,3\n", "t.csv: line 2: `2` follows a closing quote; double the quotes that are part of the text"),
    (b"a,b,a\n1,2,3\n", "t.csv: line 1: columns 1 and 3 are both named `a`; rename one, or read without a header"),
    (b"a,\"a\"\n1,2\n", "t.csv: line 1: columns 1 and 2 are both named `a`; rename one, or read without a header"),
    (b"\n\na, a\n1,2\n", "t.csv: line 3: columns 1 and 2 are both named `a`; rename one, or read without a header"),
    (b"column_2,\nx,y\n", "t.csv: line 1: columns 1 and 2 are both named `column_2`; rename one, or read without a header"),
    (b"\"a\nb\",\"a\nb\"\n1,2\n", "t.csv: line 1: columns 1 and 2 are both named `a\\nb`; rename one, or read without a header"),
    (b"a,b\n1,\xff\n", "t.csv: byte 6: ff is not UTF-8 here; save the file as UTF-8"),
    (b"caf\xe9,b\n1,2\n", "t.csv: byte 3: e9 is not UTF-8 here; save the file as UTF-8"),
    (b"\xef\xbb\xbfa,b\n1,\xc3", "t.csv: byte 9: c3 is not UTF-8 here; save the file as UTF-8"),
    (b"a,b\n1,\0\n", "t.csv: byte 6: a zero byte is no text; save the file as UTF-8 text"),
    (b"\xff\xfea\0,\0b\0", "t.csv: byte 0: this is text in UTF-16, not a table in UTF-8; save it as UTF-8"),
    (b"\x1f\x8b\x08\0", "t.csv: byte 0: this is a gzip file, not a table in UTF-8; unpack it with gunzip"),
    (b"PK\x03\x04\x14\0", "t.csv: byte 0: this is a zip or Excel file, not a table in UTF-8; export the table as CSV"),
    (b"PAR1\x15\0", "t.csv: byte 0: this is a Parquet file, not a table in UTF-8; export the table as CSV"),
];

/// What guessing from a table and learning `y` says.
#[rustfmt::skip]
const LEARNING: [(&str, &str); 18] = [
    ("a,yy\n1,2\n", "t.csv: there is no column `y`; did you mean `yy`?"),
    ("a,label\n1,2\n", "t.csv: there is no column `y`; there are a, label"),
    ("a,y\n1,\n2,\n", "t.csv: column `y`: every label is missing; fill the column in"),
    ("a,y\n1,p\n2,\n3,q\n", "t.csv: line 3, column `y`: the label is missing; fill it in, or choose `drop` for missing cells"),
    ("a,y\n1,p\n2,p\n", "t.csv: column `y`: all 2 training rows are `p`; a classifier needs at least two classes"),
    ("a,y\n1,p\n", "t.csv: no columns to learn from; declare a kind for at least one column that is ignored"),
    ("y,a\np,1\nq,1\n", "t.csv: no columns to learn from; declare a kind for at least one column that is ignored"),
    ("y\np\nq\n", "t.csv: no columns to learn from; declare a kind for at least one column that is ignored"),
    ("a,y\n1,p\nx,q\n3,q\n", "t.csv: line 3, column `a`: `x` is not a number; correct it, or give the column another kind"),
    ("a,y\n1,p\n1e400,q\n3,q\n", "t.csv: line 3, column `a`: `1e400` is larger than any number can be; correct it, or leave it empty"),
    ("a,y\n1,p\n-1e400,q\n3,q\n", "t.csv: line 3, column `a`: `-1e400` is larger than any number can be; correct it, or leave it empty"),
    ("a,y\n1,p\ninf,q\n3,q\n", "t.csv: line 3, column `a`: `inf` is not finite; correct it, or leave it empty"),
    ("a,y\n1,p\n-Infinity,q\n3,q\n", "t.csv: line 3, column `a`: `-Infinity` is not finite; correct it, or leave it empty"),
    ("a;y\n1,5;p\n2,5;q\n", "t.csv: line 2, column `a`: `1,5` has a comma; write numbers as 1.5 and 1000"),
    ("a,y\n1,p\n\"1,000,000\",q\n3,q\n", "t.csv: line 3, column `a`: `1,000,000` has a comma; write numbers as 1.5 and 1000"),
    ("a,y\n1e308,p\n1.5e308,q\n", "t.csv: column `a`: numbers too large for a mean and a standard deviation; use a larger unit"),
    ("a,y\n1,1.5\n2,2.5\n3,inf\n4,3.5\n", "t.csv: line 4, column `y`: `inf` is not finite; correct it, or leave it empty"),
    ("a,y\n1,1.5\n2,1e39\n3,2.5\n", "t.csv: line 3, column `y`: `1e39` is too large; use a larger unit"),
];

/// Rows that a net learned from.
const KNOWN: &str =
    "age,colour,member,joined,y\n10,red,yes,2024-02-29,p\n20,blue,no,2024-03-01,q\n30,red,no,2025-01-01,p\n";

/// What a net that learned from `KNOWN` says about other tables.
#[rustfmt::skip]
const PREDICTING: [(&str, &str); 16] = [
    ("aeg,colour,member,joined\n1,red,yes,2024-01-01\n", "t.csv: there is no column `age`; did you mean `aeg`?"),
    ("colour,member,joined\nred,yes,2024-01-01\n", "t.csv: there is no column `age`; there are colour, member, joined"),
    ("age,color,member,joined\n1,red,yes,2024-01-01\n", "t.csv: there is no column `colour`; did you mean `color`?"),
    ("Age,colour,member,joined\n1,red,yes,2024-01-01\n", "t.csv: there is no column `age`; did you mean `Age`?"),
    ("age,colour,member,joined\nold,red,yes,2024-01-01\n", "t.csv: line 2, column `age`: `old` is not a number; correct it, or give the column another kind"),
    ("age,colour,member,joined\n1e400,red,yes,2024-01-01\n", "t.csv: line 2, column `age`: `1e400` is larger than any number can be; correct it, or leave it empty"),
    ("age,colour,member,joined\n\"1,5\",red,yes,2024-01-01\n", "t.csv: line 2, column `age`: `1,5` has a comma; write numbers as 1.5 and 1000"),
    ("age,colour,member,joined\n1e300,red,yes,2024-01-01\n", "t.csv: line 2, column `age`: `1e300` is too far from the numbers in training; correct it, or leave it empty"),
    ("age,colour,member,joined\n1,red,yes,2024-01-01\n1,rde,yes,2024-01-01\n", "t.csv: line 3, column `colour`: training had no category `rde`; did you mean `red`?"),
    ("age,colour,member,joined\n1,green,yes,2024-01-01\n", "t.csv: line 2, column `colour`: training had no category `green`; there are blue, red"),
    ("age,colour,member,joined\n1,7,yes,2024-01-01\n", "t.csv: line 2, column `colour`: training had no category `7`; there are blue, red"),
    ("age,colour,member,joined\n1,,yes,2024-01-01\n", "t.csv: line 2, column `colour`: the cell is missing, and in training none was; fill it in, or choose `ignore` for unseen categories"),
    ("age,colour,member,joined\n1,red,maybe,2024-01-01\n", "t.csv: line 2, column `member`: `maybe` is neither true nor false; correct it, or give the column another kind"),
    ("age,colour,member,joined\n1,red,yes,2023-02-29\n", "t.csv: line 2, column `joined`: `2023-02-29` is not a date such as 2026-11-22; correct it, or give the column another kind"),
    ("age,colour,member,joined\n1,red,yes,22/11/2026\n", "t.csv: line 2, column `joined`: `22/11/2026` is not a date such as 2026-11-22; correct it, or give the column another kind"),
    ("age,colour,member,joined\n1,\"a\nvery long text that goes on and on and on\",yes,2024-01-01\n", "t.csv: line 2, column `colour`: training had no category `a\\nvery long text that goes on and on and..`; there are blue, red"),
];

/// The cases whose line is another, for a message that shows them all.
fn differing<'a>(cases: impl Iterator<Item = (String, Option<Error>, &'a str)>) -> Vec<String> {
    let lines = cases.map(|(case, error, expected)| {
        (case, error.map_or("no error".into(), |error| error.to_string()), expected)
    });
    let wrong = lines.filter(|(_, line, expected)| line != expected);
    wrong.map(|(case, line, expected)| format!("{case}\n  says     {line}\n  not      {expected}")).collect()
}

#[test]
fn malformed_files_are_reported_with_their_place() {
    let cases = READING.iter().map(|(bytes, expected)| {
        (String::from_utf8_lossy(bytes).escape_debug().to_string(), read(bytes).err(), *expected)
    });
    let wrong = differing(cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tables_that_cannot_be_learned_from_are_reported() {
    let attempt = |text: &str| fit(&table(text), "y").and_then(|encoder| encoder.encode(&table(text))).err();
    let wrong =
        differing(LEARNING.iter().map(|(text, expected)| (text.to_string(), attempt(text), *expected)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tables_that_differ_from_training_are_reported() {
    let encoder = fit(&table(KNOWN), "y").unwrap();
    let attempt = |text: &str| encoder.encode_inputs(&table(text)).err();
    let wrong =
        differing(PREDICTING.iter().map(|(text, expected)| (text.to_string(), attempt(text), *expected)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_class_that_training_did_not_have_is_reported() {
    let text = "a,y\n1,p\n2,q\n3,p\n4,r\n";
    let table = table(text);
    let mut schema = Schema::guess(&table, &["y"]).unwrap();
    let error = Encoder::fit(&table, &schema, &[0, 1, 2]).unwrap_err().to_string();
    assert_eq!(error, "t.csv: column `y`: class `r` has no training row; give it more rows, or remove it");

    schema.target.as_mut().unwrap().names.clear();
    let encoder = Encoder::fit(&table, &schema, &[0, 1, 2]).unwrap();
    let error = encoder.encode(&table).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 5, column `y`: training had no class `r`; there are p, q");
}

#[test]
fn a_quote_that_is_never_closed_does_not_swallow_the_memory() {
    let head = "a,b\n1,\"";
    let endless = std::io::Read::chain(head.as_bytes(), std::io::repeat(b'\n'));
    let error = Table::from_reader(endless, "t.csv", &CsvOptions::default()).unwrap_err().to_string();
    let expected =
        "t.csv: line 2: a record of more than 16 MiB or 100000 cells; look for a quote that is not closed";
    assert_eq!(error, expected);
    let endless = std::io::Read::chain(head.as_bytes(), std::io::repeat(b'x'));
    let error = Table::from_reader(endless, "t.csv", &CsvOptions::default()).unwrap_err().to_string();
    assert_eq!(error, expected);
    let endless = std::io::Read::chain("a,b\n".as_bytes(), std::io::repeat(b','));
    let error = Table::from_reader(endless, "t.csv", &CsvOptions::default()).unwrap_err().to_string();
    assert_eq!(error, expected);
}

#[test]
fn no_bytes_make_the_reader_panic() {
    // Every short text over the bytes that mean something, and every known good text cut and with one byte changed.
    let bytes = b"a1,;\"\n\r \xc3\xa9";
    let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
    for _ in 0..4 {
        let longer =
            texts.iter().flat_map(|text| bytes.iter().map(move |&byte| [&text[..], &[byte]].concat()));
        texts = longer.chain(texts.iter().cloned()).collect();
    }
    for i in 0..KNOWN.len() {
        texts.push(KNOWN.as_bytes()[..i].to_vec());
        for byte in *b"\"\n\r,\xff" {
            texts.push(KNOWN.bytes().enumerate().map(|(j, old)| if i == j { byte } else { old }).collect());
        }
    }
    let encoder = fit(&table(KNOWN), "y").unwrap();
    let mut read_well = 0;
    for text in &texts {
        match read(text) {
            Ok(table) => {
                read_well += 1;
                let label = table.columns().last().unwrap().clone();
                let _ = fit(&table, &label).and_then(|encoder| encoder.encode(&table));
                let _ = encoder.encode_inputs(&table);
            }
            Err(error) => assert!(!error.to_string().contains(['\n', '\r']), "{error}"),
        }
    }
    assert!(read_well > 500, "only {read_well} of {} were tables", texts.len());
}
