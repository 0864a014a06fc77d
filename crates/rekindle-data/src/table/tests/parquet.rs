//! Parquet files of pyarrow, our own, and damaged ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/table/parquet").join(name)
}

fn open(name: &str) -> TableReader {
    TableReader::open(path(name), &CsvOptions::default()).unwrap()
}

fn read_file(path: impl AsRef<std::path::Path>) -> Result<Table> {
    Table::read(path, &CsvOptions::default())
}

/// A file in the folder for temporary ones, removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("rekindle-{}-{name}", std::process::id())))
    }

    /// What reading says about these bytes, without the path.
    fn complaint(&self, bytes: &[u8]) -> Option<String> {
        fs::write(&self.0, bytes).unwrap();
        let error = read_file(&self.0).err()?.to_string();
        Some(error.strip_prefix(&format!("{}: ", self.0.display())).unwrap_or(&error).to_string())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The cells of the files of 2500 rows.
fn mixed(i: usize) -> [String; 3] {
    let n = if i.is_multiple_of(7) { String::new() } else { (i as f64 / 8.0).to_string() };
    [n, ["red", "green", "blue", ""][i % 4].into(), (i * i).to_string()]
}

#[test]
fn every_kind_is_read_as_pyarrow_means_it() {
    let json = fs::read_to_string(path("cells.json")).unwrap();
    let files: BTreeMap<String, BTreeMap<String, Vec<String>>> = serde_json::from_str(&json).unwrap();
    assert!(files.len() >= 4);
    for (file, columns) in &files {
        if file == "empty" {
            continue;
        }
        let table = read_file(path(&format!("{file}.parquet"))).unwrap();
        assert_eq!(table.width(), columns.len(), "{file}");
        for (name, cells) in columns {
            let column = table.column(name).unwrap();
            let ours: Vec<&str> = (0..table.len()).map(|row| table.cell(row, column)).collect();
            assert_eq!(&ours, cells, "{file}, {name}");
        }
    }
}

#[test]
fn compressions_row_groups_and_pieces_change_nothing() {
    for file in ["none", "snappy", "gzip", "zstd", "delta"] {
        let mut reader = open(&format!("{file}.parquet"));
        assert_eq!((reader.format(), reader.columns().len()), (Format::Parquet, 3));
        let mut row = 0;
        while let Some(piece) = reader.read_rows(999).unwrap() {
            assert!(piece.len() == 999 || row + piece.len() == 2500, "{file}");
            for i in 0..piece.len() {
                assert_eq!(rows(&piece)[i], mixed(row), "{file}, row {row}");
                assert_eq!(piece.line(i), row as u64 + 1);
                row += 1;
            }
        }
        assert_eq!(row, 2500, "{file}");
        assert!(reader.read_rows(1).unwrap().is_none());
        assert_eq!(read_file(path(&format!("{file}.parquet"))).unwrap().len(), 2500);
    }
}

#[test]
#[rustfmt::skip]
fn what_no_table_can_hold_is_refused_by_name() {
    for (file, expected) in [
        ("list", "column `tags`: a nested column, which no cell can hold; convert the column to text, or leave it out of the file"),
        ("struct", "column `place`: a nested column, which no cell can hold; convert the column to text, or leave it out of the file"),
        ("int96", "column `t`: no cell can hold times in the form INT96; convert the column to text, or leave it out of the file"),
        ("half", "column `h`: no cell can hold values of the kind Float16; convert the column to text, or leave it out of the file"),
        ("bytes", "row 2, column `b`: bytes that are no text in UTF-8; convert the column to text, or leave it out of the file"),
        ("year", "row 1, column `d`: a date that is not in the years 0 to 9999; convert the column to text, or leave it out of the file"),
        ("brotli", "its compression BROTLI is not read; write it with plain or dictionary encoding, smaller pages, and snappy, gzip or zstd"),
        ("delta_text", "row 1, column `x`: its encoding DELTA_BYTE_ARRAY is not read; write it with plain or dictionary encoding, smaller pages, and snappy, gzip or zstd"),
        ("empty", "columns, but no rows; write at least one row"),
    ] {
        let path = path(&format!("{file}.parquet"));
        let error = read_file(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {expected}", path.display()));
    }
}

#[test]
fn messages_about_its_rows_have_their_numbers() {
    let table = read_file(path("kinds.parquet")).unwrap();
    let mut schema = Schema::guess(&table, &[]).unwrap();
    schema.columns.retain(|column| column.name == "infinite");
    let error = Encoder::fit(&table, &schema, &[0, 1, 2]).unwrap_err().to_string();
    assert!(
        error.ends_with("row 1, column `infinite`: `inf` is not finite; correct it, or leave it empty"),
        "{error}"
    );
    let text = Table::new("t", &["x"], [["1"], ["2"], ["many"]]).unwrap();
    let rows = Table { has_lines: false, lines: vec![1, 2, 3], ..text };
    assert_eq!(
        Schema::guess(&rows, &[]).unwrap().remarks(),
        ["x: numbers from 1 to 2, but `many` in row 3 is none"]
    );
}

#[test]
fn what_is_written_comes_back_to_the_last_bit() {
    let file = Temporary::new("written.parquet");
    let n = 3000;
    let numbers: Vec<f64> =
        (0..n).map(|i| f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let numbers: Vec<f64> = numbers.into_iter().map(|x| if x.is_finite() { x } else { 0.5 }).collect();
    let texts: Vec<String> = (0..n).map(|i| format!("가\"{}\n", i % 5)).collect();
    let integers: Vec<i64> = (0..n as i64).map(|i| i64::MIN + i * i).collect();
    let columns = [
        ("number", ParquetColumn::Numbers(numbers.clone())),
        ("text", ParquetColumn::Text(texts.clone())),
        ("whole", ParquetColumn::Integers(integers.clone())),
    ];
    Table::write_parquet(fs::File::create(&file.0).unwrap(), &columns).unwrap();
    let table = read_file(&file.0).unwrap();
    assert_eq!(table.len(), n);
    for i in 0..n {
        let number: f64 = table.cell(i, 0).parse().unwrap();
        assert_eq!(number.to_bits(), numbers[i].to_bits(), "{}", table.cell(i, 0));
        assert_eq!(
            (table.cell(i, 1), table.cell(i, 2)),
            (texts[i].as_str(), integers[i].to_string().as_str())
        );
    }
}

#[test]
fn columns_that_are_no_table_are_not_written() {
    let column = |n| ParquetColumn::Integers(vec![1; n]);
    for (columns, expected) in [
        (vec![], "a table without columns"),
        (vec![("a", column(1)), ("a", column(1))], "two columns are named `a`"),
        (vec![("a", column(1)), ("b", column(2))], "column `b` has 2 rows, not 1"),
    ] {
        assert_eq!(Table::write_parquet(Vec::new(), &columns).unwrap_err().to_string(), expected);
    }
}

#[test]
fn damaged_files_give_one_line_in_time() {
    let file = Temporary::new("damaged.parquet");
    let mut state = 43052u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for name in ["kinds", "kinds_v2_pages", "gzip", "snappy", "delta"] {
        let whole = fs::read(path(&format!("{name}.parquet"))).unwrap();
        for i in 0..60 {
            let length = if i < 30 { whole.len() - 1 - i } else { random(whole.len()) };
            let line = file.complaint(&whole[..length]).unwrap_or_else(|| panic!("{name}, {length} bytes"));
            assert!(!line.contains('\n') && line.contains("; "), "{line}");
        }
        let mut noticed = 0;
        for flip in 0..400 {
            // Half of them in the description at the end.
            let place = if flip % 2 == 0 {
                random(whole.len())
            } else {
                whole.len() - 1 - random(whole.len().min(1500))
            };
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << random(8);
            let start = Instant::now();
            let line = file.complaint(&bytes);
            assert!(start.elapsed() < Duration::from_secs(10), "{name}, bit in byte {place}");
            noticed += usize::from(line.is_some());
            let line = line.unwrap_or_else(|| "a; b".into());
            assert!(!line.contains('\n') && line.contains("; "), "{line}");
        }
        assert!(noticed > 50, "{name}: {noticed}");
    }
}

#[test]
fn a_damaged_page_with_a_checksum_is_noticed() {
    let file = Temporary::new("checksum.parquet");
    let mut bytes = fs::read(path("zstd.parquet")).unwrap();
    let middle = bytes.len() / 4;
    bytes[middle] ^= 4;
    let line = file.complaint(&bytes).unwrap();
    assert!(line.contains("damaged Parquet file: "), "{line}");
}

/// A file with this description.
fn described(footer: &[u8]) -> Vec<u8> {
    [b"PAR1", footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

#[test]
fn descriptions_that_claim_too_much_take_no_memory() {
    let file = Temporary::new("hostile.parquet");
    // Version 1; then a list of structs with a name, `a`, and a number of children.
    let element = |children: &[u8]| [&[0x48, 1, b'a', 0x15][..], children, &[0]].concat();
    let schema = |count: u32, elements: &[Vec<u8>]| {
        let count = (0..5).map(|i| (count >> (7 * i)) as u8 | 128).chain([0]).collect::<Vec<_>>();
        described(&[&[0x15, 2, 0x19, 0xfc][..], &count, &elements.concat(), &[0]].concat())
    };
    let deep = schema(150_000, &vec![element(&[2]); 150_000]);
    let line = file.complaint(&deep).unwrap();
    assert_eq!(line, "damaged Parquet file: its schema cannot be read; write the file again");
    let deep = schema(50_000, &vec![element(&[2]); 50_000]);
    let line = file.complaint(&deep).unwrap();
    assert!(line.starts_with("column `a`: a nested column"), "{line}");
    let wide = schema(1, &[element(&[0xfe, 0xff, 0xff, 0xff, 0x0f])]);
    let line = file.complaint(&wide).unwrap();
    assert_eq!(line, "damaged Parquet file: its schema contradicts itself; write the file again");
    let long = schema(u32::MAX, &[element(&[0])]);
    let line = file.complaint(&long).unwrap();
    assert_eq!(line, "damaged Parquet file: its description ends early at byte 14; write the file again");
    assert!(file.complaint(&described(&[])).is_some());
    assert!(file.complaint(b"PAR1PAR1").is_some());
}

#[test]
fn a_list_in_the_place_of_a_number_is_no_list_of_billions() {
    let file = Temporary::new("lists.parquet");
    // Field 1, a list of seven bytes. Who takes it for a number finds after its first byte a field 12: a list of 2^31 - 1 booleans.
    let lists = [0x09, 0x02, 0x73, 0xb9, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07].repeat(3);
    let line = file.complaint(&described(&[&lists[..], &[0]].concat())).unwrap();
    assert_eq!(line, "damaged Parquet file: a field of a wrong type at byte 6; write the file again");
}

#[test]
fn bytes_that_several_row_groups_claim_are_refused() {
    let file = Temporary::new("shared.parquet");
    // A root with one column of integers, and row groups of one row whose column is the same 100 bytes.
    let schema = [&[0x48, 1, b'r', 0x15, 2, 0][..], &[0x15, 2, 0x25, 0, 0x18, 1, b'a', 0]].concat();
    let chunk =
        [0x15, 2, 0x19, 0x15, 0, 0x19, 0x18, 1, b'a', 0x15, 0, 0x16, 2, 0x16, 200, 1, 0x16, 200, 1, 0x26, 8];
    let group = [&[0x19, 0x1c, 0x26, 8, 0x1c][..], &chunk, &[0, 0, 0x16, 8, 0x16, 2, 0]].concat();
    let line = |groups: u8| {
        let head =
            [&[0x15, 2, 0x19, 0x2c][..], &schema, &[0x16, 2 * groups, 0x19, groups << 4 | 12]].concat();
        file.complaint(&described(&[&head[..], &group.repeat(groups.into()), &[0]].concat())).unwrap()
    };
    assert_eq!(line(7), "damaged Parquet file: 700 bytes of columns in 266 bytes; write the file again");
    assert!(!line(2).contains("bytes of columns"), "{}", line(2));
}

#[test]
fn rows_that_a_small_file_repeats_are_counted_before_they_are_read() {
    let file = Temporary::new("repeats.parquet");
    let within = |columns: &[(&str, ParquetColumn)], bytes| {
        Table::write_parquet(fs::File::create(&file.0).unwrap(), columns).unwrap();
        assert!(fs::metadata(&file.0).unwrap().len() < 200_000);
        let mut reader = TableReader::open(&file.0, &CsvOptions::default()).unwrap();
        let (table, read) = (reader.read_within(bytes).unwrap(), reader.read_rows(1).unwrap());
        (table.map(|table| table.len()), read.map(|row| row.lines[0]))
    };
    // Half a million rows of two cells in a few hundred bytes.
    let ones = || ParquetColumn::Integers(vec![1; 500_000]);
    let columns = [("a", ones()), ("b", ones())];
    assert_eq!(within(&columns, 10_000_000), (None, Some(1)), "nothing was read");
    assert_eq!(within(&columns, 20_000_000), (Some(500_000), None));
    // A text that stands in the file once shows its size only in the rows.
    let texts = [("t", ParquetColumn::Text(vec!["long ".repeat(20_000); 1000]))];
    let (table, read) = within(&texts, 10_000_000);
    assert!(table.is_none() && (100..105).contains(&read.unwrap()), "{read:?}");
}

#[test]
fn pieces_of_many_small_cells_are_short() {
    let file = Temporary::new("wide.parquet");
    let names: Vec<String> = (0..2000).map(|i| format!("c{i}")).collect();
    let columns: Vec<_> =
        names.iter().map(|name| (name.as_str(), ParquetColumn::Integers(vec![1; 4000]))).collect();
    Table::write_parquet(fs::File::create(&file.0).unwrap(), &columns).unwrap();
    let mut reader = TableReader::open(&file.0, &CsvOptions::default()).unwrap();
    let sizes: Vec<usize> =
        std::iter::from_fn(|| reader.read_rows(usize::MAX).unwrap()).map(|piece| piece.len()).collect();
    // A cell takes 17 bytes, a piece 64 MiB.
    assert_eq!(sizes, [1974, 1974, 52]);
}
