//! What is read is what was written.

use super::*;

/// A small stream of numbers that look random (SplitMix64).
struct Stream(u64);

impl Stream {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 16] = [
            "a", "b", "1", "\"", "\"\"", ",", ";", "\t", "|", "\n", "\r", "\r\n", " ", "é", "한", "\u{feff}",
        ];
        (0..self.below(7)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

#[test]
fn a_table_written_and_read_again_is_the_same() {
    let mut stream = Stream(43052);
    for case in 0..4000 {
        let (width, length) = (1 + stream.below(4), 1 + stream.below(5));
        let names: Vec<String> = (0..width).map(|i| format!("{}{i}", stream.text())).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let cells: Vec<Vec<String>> =
            (0..length).map(|_| (0..width).map(|_| stream.text()).collect()).collect();
        let table = Table::new("t.csv", &names, &cells).unwrap();
        let delimiter = [',', ';', '\t', '|', '#'][stream.below(5)];
        let mut text = Vec::new();
        table.write_csv(&mut text, delimiter).unwrap();

        let options = CsvOptions { delimiter: Some(delimiter), header: Header::Yes, ..CsvOptions::default() };
        let again = Table::from_reader(&text[..], "t.csv", &options).unwrap();
        assert_eq!((again.columns(), rows(&again)), (table.columns(), rows(&table)), "case {case}");

        // The csv crate reads the same cells from it.
        let mut theirs = csv::ReaderBuilder::new();
        let mut theirs = theirs.delimiter(delimiter as u8).from_reader(&text[..]);
        for (row, record) in theirs.records().enumerate() {
            assert_eq!(record.unwrap(), rows(&table)[row], "case {case}");
        }
    }
}

#[test]
fn blocks_end_anywhere() {
    // Cells of all lengths shift the ends of blocks over quotes, line ends and characters of several bytes.
    for shift in 0..40 {
        let cell = "é\"\"\r\n한";
        let body: String = (0..12_000).map(|i| format!("{i},\"{cell}\"\r\n")).collect();
        let text = format!("{},b\r\n{body}", "n".repeat(1 + shift));
        let table = table(&text);
        assert_eq!(table.len(), 12_000);
        for row in 0..table.len() {
            assert_eq!(table.cell(row, 0), row.to_string());
            assert_eq!(table.cell(row, 1), "é\"\r\n한");
            assert_eq!(table.line(row), 2 + 2 * row as u64);
        }
    }
}

#[test]
fn the_offset_of_what_is_not_text_is_right_in_any_block() {
    for at in [10, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 200_001] {
        let mut bytes = b"a\n".to_vec();
        bytes.resize(300_000, b'x');
        bytes[at] = 0xe9;
        let line = format!("t.csv: byte {at}: e9 is not UTF-8 here; save the file as UTF-8");
        assert_eq!(read(&bytes).unwrap_err().to_string(), line);
    }
}

#[test]
fn line_ends_marks_spaces_and_blank_lines_are_no_text() {
    let expected = vec![vec!["1", "x y"], vec!["", "\"z"], vec![" 2 ", "5\" pipe"]];
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["\u{feff}a , b", "", " 1 ,x y\t", "  ", ", \"\"\"z\" ", "\" 2 \",5\" pipe"];
        let text = lines.join(end);
        assert_eq!(rows(&table(&text)), expected, "{end:?}");
        assert_eq!(rows(&table(&format!("{text}{end}{end}"))), expected, "{end:?}");
        let lines: Vec<u64> = (0..3).map(|row| table(&text).line(row)).collect();
        assert_eq!(lines, [3, 5, 6], "{end:?}");
    }
}

#[test]
fn without_quotes_a_quote_is_text() {
    let options = CsvOptions { quotes: false, ..CsvOptions::default() };
    let table = Table::from_reader("a,b\n\"x,y\"\n".as_bytes(), "t.csv", &options).unwrap();
    assert_eq!(rows(&table), [["\"x", "y\""]]);
}

#[test]
fn delimiters_are_guessed() {
    let guess =
        |text: &str| CsvReader::new(text.as_bytes(), "t.csv", &CsvOptions::default()).unwrap().delimiter();
    assert_eq!(guess("a,b\n1,2\n"), ',');
    assert_eq!(guess("a;b\n1,5;2,5\n"), ';');
    assert_eq!(guess("a\tb,c\n1\t2,3\n4\t5\n"), '\t');
    assert_eq!(guess("a|b|c\n1|2;3|4\n"), '|');
    assert_eq!(guess("text,tags\nx,p|q|r\ny,p\n"), ',');
    assert_eq!(guess("a;b\n\"x,y\";\"p,q\"\n"), ';');
    assert_eq!(guess("alone\n1\n2\n"), ',');
    assert_eq!(guess("a,b\n1,2\n3\n"), ',', "a ragged table has a delimiter too");
    let long: String = (0..30_000).map(|i| format!("{i};{i},5\n")).collect();
    assert_eq!(guess(&format!("a;b\n{long}")), ';');
    let long = "x".repeat(10_000);
    let wide: String = (0..10).map(|i| format!("p,q;{i};{long};{i}\n")).collect();
    assert_eq!(guess(&format!("a,b;c;d;e\n{wide}")), ';', "what is read ahead ends within a record");
    let unclosed = format!("a;b\n1;\"{}", "x;y\n".repeat(30_000));
    assert_eq!(guess(&unclosed), ';');
}

#[test]
fn headers_are_guessed() {
    let columns = |text: &str| table(text).columns().to_vec();
    assert_eq!(columns("a,b\n1,2\n"), ["a", "b"]);
    assert_eq!(columns("5.1,setosa\n4.9,setosa\n"), ["column_1", "column_2"]);
    assert_eq!(columns("2026-11-22,x\n2026-11-23,y\n"), ["column_1", "column_2"]);
    assert_eq!(columns(",a\n0,5\n1,6\n"), ["column_1", "a"], "pandas writes no name for its index");
    assert_eq!(columns("x,na\n1,2\n"), ["x", "na"]);
    let options = CsvOptions { header: Header::Yes, ..CsvOptions::default() };
    let years = Table::from_reader("2025,2026\n1,2\n".as_bytes(), "t.csv", &options).unwrap();
    assert_eq!((years.columns(), years.len()), (&["2025".to_string(), "2026".to_string()][..], 1));
    let options = CsvOptions { header: Header::No, ..CsvOptions::default() };
    let names = Table::from_reader("a,b\nc,d\n".as_bytes(), "t.csv", &options).unwrap();
    assert_eq!((names.len(), names.line(0)), (2, 1));
}

#[test]
fn files_are_read_and_what_is_no_file_is_not() {
    let folder = std::env::temp_dir();
    let line = Table::read_csv(&folder, &CsvOptions::default()).unwrap_err().to_string();
    assert_eq!(line, format!("{}: not a regular file", folder.display()));
    let path = folder.join("rekindle-no-such-table.csv");
    let line = Table::read_csv(&path, &CsvOptions::default()).unwrap_err().to_string();
    assert!(line.starts_with(&format!("{}: ", path.display())), "{line}");
}

#[test]
fn rows_of_another_width_are_no_table() {
    let error = Table::new("t", &["a", "b"], [vec!["1", "2"], vec!["3"]]).unwrap_err().to_string();
    assert_eq!(error, "t: line 3: 1 cell, but the table has 2 columns; add what is missing");
    let error = Table::new("t", &[], [[""; 0]]).unwrap_err().to_string();
    assert_eq!(error, "t: line 1: a table without columns; name at least one");
}

#[test]
fn one_reader_knows_formats_by_their_content() {
    let path = std::env::temp_dir().join(format!("rekindle-{}-format.parquet", std::process::id()));
    let error = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = Table::read(&path, &CsvOptions::default()).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_string()
    };
    assert_eq!(error(b"a,b\n"), "line 1: a header, but no rows; write at least one row below it");
    let parquet = if cfg!(feature = "parquet") {
        "damaged Parquet file: it ends early, at byte 4; write the file again"
    } else {
        "a Parquet file, and this program was built without Parquet; build it with the feature `parquet`, or export the table as CSV"
    };
    assert_eq!(error(b"PAR1"), parquet);
    // The name says nothing.
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    assert_eq!(rows(&Table::read(&path, &CsvOptions::default()).unwrap()), [["1", "2"]]);
    std::fs::remove_file(&path).unwrap();
    let error = Table::read(std::env::temp_dir(), &CsvOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with(": not a regular file"), "{error}");
}

#[test]
fn pieces_end_at_so_many_rows_or_so_much_memory() {
    // A row takes 26 bytes: ten of text, and 16 for its cell.
    let text: String = (0..100).map(|i| format!("{i:010}\n")).collect();
    let mut reader = CsvReader::new(text.as_bytes(), "t.csv", &CsvOptions::default()).unwrap();
    let sizes: Vec<usize> =
        std::iter::from_fn(|| reader.read_piece(30, 500).unwrap()).map(|piece| piece.len()).collect();
    assert_eq!(sizes, [20; 5]);
}
