//! CSV and Parquet.

use super::{Corpus, load_data};
use crate::Folder;
use rekindle::data::table::{ParquetColumn, Table};
use std::path::Path;

/// Twenty rows of a number, a colour and a class.
fn rows() -> String {
    let row = |i: usize| format!("{i}.5,{},{}\n", ["red", "blue"][i / 2 % 2], ["p", "q"][i % 2]);
    String::from("a,c,y\n") + &(0..20).map(row).collect::<String>()
}

/// The rows with one of them changed.
fn with(from: &str, to: &str) -> String {
    let rows = rows();
    assert!(rows.contains(from), "{from}");
    rows.replacen(from, to, 1)
}

fn csv(path: &Path, more: &str) -> Result<(), String> {
    load_data(path, &format!("table = \"data.csv\"\nlabel = \"y\"\n{more}"))
}

/// Files that are wrong whatever is declared about them.
const FILES: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("blank lines", b"\n\r\n \n"),
    ("a byte order mark and nothing else", b"\xef\xbb\xbf"),
    ("a header only", b"a,c,y\n"),
    ("a header without an end of line", b"a,c,y"),
    ("a row without its label", b"a,c,y\n1,red,p\n2,blue\n"),
    ("a row with a fourth cell", b"a,c,y\n1,red,p\n2,blue,q,x\n"),
    ("a delimiter at the end of each row", b"a,c,y\n1,red,p,\n2,blue,q,\n"),
    ("one column, two cells", b"y\np\np,q\n"),
    ("a short row behind blank lines", b"a,c,y\n\n\n1,red,p\n\n2\n"),
    ("a short row behind a cell of two lines", b"a,c,y\n1,\"re\nd\",p\n2\n"),
    ("a short row, lines end in CR LF", b"a,c,y\r\n1,red,p\r\n2\r\n"),
    ("a short row, lines end in CR", b"a,c,y\r1,red,p\r2\r"),
    ("a byte order mark and a short row", b"\xef\xbb\xbfa,c,y\n1\n"),
    ("an unclosed quote in the last row", b"a,c,y\n1,red,p\n2,blue,\"q\n"),
    ("an unclosed quote that takes in rows", b"a,c,y\n1,\"red,p\n2,blue,q\n3,red,p\n"),
    ("an unclosed quote in the header", b"\"a,c,y\n1,red,p\n"),
    ("an unclosed quote behind a cell of two lines", b"a,c,y\n\"1\n\",\"red,p\n"),
    ("an unclosed doubled quote", b"a,c,y\n1,\"red\"\",p\n"),
    ("text behind a closing quote", b"a,c,y\n1,\"red\"x,p\n"),
    ("a second quote behind a closing one", b"a,c,y\n1,\"red\" \"x\",p\n"),
    ("two columns of one name", b"a,a,y\n1,2,p\n"),
    ("two columns of one name, one quoted", b"a,\"a\",y\n1,2,p\n"),
    ("two labels of one name", b"y,a,y\np,1,q\n"),
    ("a name that the second column gets for lack of one", b"column_2,,y\n1,2,p\n"),
    ("a label column by another name", b"a,c,yy\n1,red,p\n"),
    ("a label column in capitals", b"a,c,Y\n1,red,p\n"),
    ("no label column at all", b"a,c,label\n1,red,p\n"),
    ("Latin-1 in a cell", b"a,c,y\n1,caf\xe9,p\n"),
    ("Latin-1 in the header", b"a,caf\xe9,y\n1,red,p\n"),
    ("a character cut off", b"a,c,y\n1,red,\xea\xb0"),
    ("an overlong character", b"a,c,y\n1,\xc0\xaf,p\n"),
    ("half of a pair of UTF-16", b"a,c,y\n1,\xed\xa0\x80,p\n"),
    ("a zero byte", b"a,c,y\n1,re\0d,p\n"),
    ("UTF-16, little endian", b"\xff\xfea\0,\0y\0\n\0"),
    ("UTF-16, big endian", b"\xfe\xff\0a\0,\0y\0\n"),
    ("gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
    ("a zip archive or Excel", b"PK\x03\x04\x14\0"),
    ("an old Excel file", b"\xd0\xcf\x11\xe0\xa1\xb1"),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ("another delimiter in one row", b"a,c,y\n1,red,p\n2;blue;q\n"),
];

/// Rows that are wrong by what is declared, or by what a classifier needs: what is changed, to what, and more of `[data]`.
const ROWS: &[(&str, (&str, &str), &str)] = &[
    ("NA where missing cells are errors", ("3.5,", "NA,"), "missing = \"error\""),
    ("an empty cell where missing cells are errors", ("3.5,", ","), "missing = \"error\""),
    ("a question mark where missing cells are errors", ("3.5,", "?,"), "missing = \"error\""),
    ("a category that is missing where that is an error", ("3.5,blue", "3.5,"), "missing = \"error\""),
    (
        "a word that is declared to be missing",
        ("3.5,", "-9,"),
        "missing = \"error\"\nmissing_words = [\"-9\"]",
    ),
    (
        "NA where other words are missing",
        ("3.5,", "NA,"),
        "missing_words = [\"-9\"]\ncolumns.a = \"numeric\"",
    ),
    ("1e400", ("3.5,", "1e400,"), ""),
    ("-1e400", ("3.5,", "-1e400,"), ""),
    ("infinity", ("3.5,", "inf,"), ""),
    ("a comma in a number", ("3.5,", "\"3,5\","), ""),
    ("thousands with commas", ("3.5,", "\"3,500\","), ""),
    ("a word among numbers", ("3.5,", "three,"), "columns.a = \"numeric\""),
    ("a number with a unit", ("3.5,", "3.5kg,"), "columns.a = \"numeric\""),
    ("hexadecimal", ("3.5,", "0x10,"), "columns.a = \"numeric\""),
    ("numbers that are to be dates", ("3.5,", "4.5,"), "columns.a = \"date\""),
    ("colours that are to be numbers", ("3.5,", "4.5,"), "columns.c = \"numeric\""),
    ("colours that are to be true or false", ("3.5,", "4.5,"), "columns.c = \"boolean\""),
    ("a declared column that is not there", ("3.5,", "4.5,"), "columns.age = \"numeric\""),
    ("a declared column that is spelt otherwise", ("a,c,y", "aa,c,y"), "columns.a = \"numeric\""),
    ("a kind for the label", ("3.5,", "4.5,"), "columns.y = \"categorical\""),
    ("a label that is missing", ("3.5,blue,q", "3.5,blue,"), ""),
    ("labels that are to be numbers", ("3.5,", "4.5,"), "task = \"numbers\""),
    ("a class with one row", ("3.5,blue,q", "3.5,blue,r"), ""),
    (
        "a class that is not among the declared",
        ("3.5,blue,q", "3.5,blue,r"),
        "classes = [\"p\", \"q\"]\nsplit.stratify = false",
    ),
    ("a declared class without rows", ("3.5,", "4.5,"), "classes = [\"p\", \"q\", \"r\"]"),
    ("a class declared twice", ("3.5,", "4.5,"), "classes = [\"p\", \"p\"]"),
    ("all inputs ignored", ("3.5,", "4.5,"), "columns = { a = \"ignored\", c = \"ignored\" }"),
    (
        "a memory of nothing",
        ("3.5,", "4.5,"),
        "memory = \"0 B\"\nmissing = \"drop\"\ncolumns.c = \"numeric\"",
    ),
    ("a header that is denied", ("3.5,", "4.5,"), "header = false"),
    ("another delimiter declared", ("3.5,", "4.5,"), "delimiter = \";\""),
    ("a test table that is not there", ("3.5,", "4.5,"), "test_table = \"other-data.csv\""),
];

/// Test tables that are wrong for what was learned from the good one.
const TESTS: &[(&str, &str)] = &[
    ("a class seen only in test", "a,c,y\n1,red,r\n"),
    ("a category seen only in test", "a,c,y\n1,rde,p\n"),
    ("a category with another case", "a,c,y\n1,Red,p\n"),
    ("a missing category, which training never had", "a,c,y\n1,,p\n"),
    ("a column missing", "a,y\n1,p\n"),
    ("a column by another name", "a,colour,y\n1,red,p\n"),
    ("no labels", "a,c\n1,red\n"),
    ("a word for a number", "a,c,y\nmany,red,p\n"),
    ("a number too far from training", "a,c,y\n1e300,red,p\n"),
    ("a row too short", "a,c,y\n1,red\n"),
    ("nothing", ""),
];

#[test]
fn csv_files() {
    let mut corpus = Corpus::new();
    for (case, bytes) in FILES {
        corpus.bytes(case, "data.csv", bytes, |path| csv(path, ""));
    }
    for (case, (from, to), more) in ROWS {
        corpus.bytes(case, "data.csv", with(from, to), |path| csv(path, more));
    }
    let good = corpus.put("data.csv", rows());
    for (case, text) in TESTS {
        corpus.put("test.csv", text);
        let data = "table = \"data.csv\"\nlabel = \"y\"\ntest_table = \"test.csv\"";
        corpus.refuse(&format!("to test with: {case}"), "test.csv", || load_data(&good, data));
    }
    for (case, text) in [
        ("one class", rows().replace(",q\n", ",p\n")),
        ("every label missing", rows().replace(",q\n", ",\n").replace(",p\n", ",\n")),
        ("constant columns", "a,c,y\n".to_string() + &"1,red,p\n1,red,q\n".repeat(10)),
        ("two rows", "a,c,y\n1,red,p\n2,blue,q\n".to_string()),
        ("one row", "a,c,y\n1,red,p\n".to_string()),
        ("only labels", "y\n".to_string() + &"p\nq\n".repeat(10)),
        ("two thousand columns of one name", "x,".repeat(2000) + "y\n"),
        ("a record of 17 MiB", format!("a,c,y\n1,\"{}", "x".repeat(17 << 20))),
        ("a hundred thousand and one columns", ",".repeat(100_001) + "\n"),
        (
            "labels of 1001 different numbers",
            "a,c,y\n".to_string() + &(0..1001).map(|i| format!("{i},red,k{i}\n")).collect::<String>(),
        ),
    ] {
        corpus.bytes(case, "data.csv", text, |path| csv(path, ""));
    }
    let several = "separator = \"|\"\ntask = \"labels\"";
    corpus.bytes("labels of one class only, declared to be several", "data.csv", rows(), |path| {
        csv(path, several)
    });
    corpus.refuse("no such file", "none.csv", || load_data(&good, "table = \"none.csv\"\nlabel = \"y\""));
    corpus.put("folder.csv/in", "x");
    corpus.refuse("a folder", "folder.csv", || load_data(&good, "table = \"folder.csv\"\nlabel = \"y\""));
    corpus.damage(("rows", "data.csv"), rows().as_bytes(), (5, 0..24), |path| csv(path, ""));
    corpus.finish("csv", 150);
}

fn parquet_columns() -> [(&'static str, ParquetColumn); 3] {
    let text =
        |f: fn(usize) -> &'static str| ParquetColumn::Text((0..20).map(|i| f(i).to_string()).collect());
    [
        ("a", ParquetColumn::Numbers((0..20).map(|i| f64::from(i) / 2.0).collect())),
        ("c", text(|i| ["red", "blue"][i / 2 % 2])),
        ("y", text(|i| ["p", "q"][i % 2])),
    ]
}

fn parquet(path: &Path) -> Result<(), String> {
    load_data(path, "table = \"data.parquet\"\nlabel = \"y\"")
}

/// A Parquet file with these columns.
fn written(columns: &[(&str, ParquetColumn)]) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.0.join("table.parquet");
    Table::write_parquet(std::fs::File::create(&path).unwrap(), columns).unwrap();
    std::fs::read(path).unwrap()
}

/// Files of pyarrow with columns that no cell can hold, or in ways that are not read.
const PYARROW: [&str; 9] =
    ["brotli", "bytes", "delta_text", "empty", "half", "int96", "list", "struct", "year"];

#[test]
fn parquet_files() {
    let mut corpus = Corpus::new();
    let good = written(&parquet_columns());
    let end = good.len();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/table/parquet");
    for name in PYARROW {
        let bytes = std::fs::read(golden.join(format!("{name}.parquet"))).unwrap();
        corpus.bytes(&format!("of pyarrow: {name}"), "data.parquet", bytes, parquet);
    }
    let [a, c, y] = parquet_columns();
    let constant = ("y", ParquetColumn::Text(vec!["p".into(); 20]));
    let number = |i| if i == 7 { f64::INFINITY } else { f64::from(i) };
    let infinite = ("a", ParquetColumn::Numbers((0..20).map(number).collect()));
    for (case, bytes) in [
        ("the first letters only", b"PAR1".to_vec()),
        ("the letters twice", b"PAR1PAR1".to_vec()),
        ("the letters and no description", b"PAR1\0\0\0\0PAR1".to_vec()),
        ("a description longer than the file", with(end - 8, &[0, 1, 0, 0])),
        ("a description of 4 GiB", with(end - 8, &[0xff; 4])),
        ("a description of nothing", with(end - 8, &[0; 4])),
        ("encrypted", with(end - 4, b"PARE")),
        ("other letters at the end", with(end - 4, b"PAR2")),
        ("without its end", good[..end - 1].to_vec()),
        ("with more behind it", [&good[..], b"\n"].concat()),
        ("pages of zeros", with(4, &[0; 40])),
        ("pages of ones", with(4, &[0xff; 40])),
        ("without a label column", written(&[a.clone(), c.clone()])),
        ("with one class", written(&[a, c.clone(), constant])),
        ("with an infinity", written(&[infinite, c, y])),
    ] {
        corpus.bytes(case, "data.parquet", bytes, parquet);
    }
    corpus.damage(("20 rows", "data.parquet"), &good, (8, 4..40), parquet);
    corpus.damage(("description", "data.parquet"), &good, (end, end - 260..end), parquet);
    corpus.finish("parquet", 120);
}

#[test]
fn the_program_refuses_tables_in_one_line_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let data = |file: &str| format!("table = \"{file}\"\nlabel = \"y\"");
    for (_, bytes) in FILES.iter().step_by(4) {
        folder.put("data.csv", bytes);
        folder.fails_to_train(&data("data.csv"), "data.csv");
        folder.fails(&["init", "data.csv", "--label", "y", "--output", "new.toml"], "data.csv");
        assert!(!folder.0.join("new.toml").exists());
    }
    let good = written(&parquet_columns());
    for bytes in [&good[..50], &good[..good.len() - 1], b"PAR1"] {
        folder.put("data.parquet", bytes);
        folder.fails_to_train(&data("data.parquet"), "data.parquet");
    }
    folder.put("good.csv", rows());
    let recipe = folder.rekindle(&["init", "good.csv", "--label", "y"]);
    folder.put("good.toml", crate::succeeds(&recipe));
    crate::succeeds(&folder.rekindle(&[
        "train",
        "good.toml",
        "--epochs",
        "1",
        "--quiet",
        "--output",
        "model",
    ]));
    for (_, text) in TESTS.iter().filter(|(case, _)| !case.contains("seen only") && !case.contains("labels"))
    {
        folder.put("rows.csv", text);
        for output in ["answers.csv", "answers.parquet"] {
            folder.fails(&["predict", "model", "rows.csv", "--output", output], "rows.csv");
            assert!(!folder.0.join(output).exists(), "{text:?}");
        }
    }
}
