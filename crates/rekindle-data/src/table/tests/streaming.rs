//! Tables by pieces, held against whole tables.

use super::*;
use crate::split::train_test_split;

/// Numbers, dates, words, truths, lists, with gaps.
fn text(n: usize) -> String {
    let mut text = String::from("num,day,word,flag,name,tags,class,price\n");
    for i in 0..n {
        let k = i.wrapping_mul(2_654_435_761) % 1009;
        let num = if k % 11 == 0 { String::new() } else { format!("{}", (k as f64).sqrt() * 1e3) };
        let day = format!("20{:02}-{:02}-{:02}", k % 40, k % 12 + 1, k % 28 + 1);
        let word = ["red", "green", "blue", "NA"][k % 4];
        let (flag, class) = (["yes", "no"][k % 2], ["b", "a", "c"][k % 3]);
        let tags = ["x|y", "y", "", "z|x"][k % 4];
        text += &format!("{num},{day},{word},{flag},name {k},{tags},{class},{}\n", k as f64 / 7.0);
    }
    text
}

fn reader(text: &str) -> TableReader {
    let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
    TableReader::from_reader(bytes, "t.csv", &CsvOptions::default()).unwrap()
}

/// More rows than a piece has.
const ROWS: usize = 40_000;

#[test]
fn guesses_and_samples_are_those_of_the_whole_table() {
    let text = text(ROWS);
    let table = table(&text);
    for labels in [&[][..], &["class"], &["tags"], &["price"], &["num", "price"], &["flag"]] {
        let schema = Schema::guess(&table, labels).unwrap();
        assert_eq!(Schema::guess_stream(&mut reader(&text), labels).unwrap(), schema, "{labels:?}");
        let drop = Schema { missing: Missing::Drop, ..schema };
        let samples = drop.samples(&table).unwrap();
        assert_eq!(drop.samples_stream(&mut reader(&text)).unwrap(), samples, "{labels:?}");
        assert!(samples.rows.len() < ROWS && samples.rows.last() > Some(&(ROWS - 100)));
        assert_eq!(samples.classes.is_some(), matches!(labels, ["class"] | ["flag"]));
    }
}

#[test]
fn fitting_by_pieces_is_fitting_to_the_last_bit() {
    let text = text(ROWS);
    let table = table(&text);
    let split = train_test_split(ROWS, 0.3, 1);
    for label in ["class", "tags", "price"] {
        let mut schema = Schema::guess(&table, &[label]).unwrap();
        schema.missing = Missing::Drop;
        schema.set_kind("name", Kind::Embedding);
        let encoder = Encoder::fit(&table, &schema, &split.train).unwrap();
        let training: std::collections::HashSet<usize> = split.train.iter().copied().collect();
        let mut opened = 0;
        let mut open = || {
            opened += 1;
            Ok(reader(&text))
        };
        let streamed = Encoder::fit_stream(&mut open, &schema, &|row| training.contains(&row)).unwrap();
        assert_eq!((streamed.to_json(), opened), (encoder.to_json(), 2), "{label}");
        assert_eq!(Encoder::from_json(&streamed.to_json()).unwrap(), encoder);

        let whole = encoder.encode(&table).unwrap();
        let spilled = encoder.spill(&mut reader(&text), std::env::temp_dir()).unwrap();
        assert_eq!(spilled.rows, whole.rows);
        assert!(spilled.y.bitwise_eq(&whole.y), "{label}");
        let all: Vec<usize> = (0..whole.rows.len()).collect();
        assert!(spilled.x.rows(&all).unwrap().bitwise_eq(&whole.x), "{label}");
    }
}

#[test]
fn the_order_of_training_rows_changes_no_bit() {
    let table = table(&text(3000));
    let rows = train_test_split(3000, 0.5, 3).train;
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert_ne!(rows, sorted);
    for label in ["class", "price"] {
        let schema = Schema { missing: Missing::Drop, ..Schema::guess(&table, &[label]).unwrap() };
        let json = |rows: &[usize]| Encoder::fit(&table, &schema, rows).unwrap().to_json();
        let reversed: Vec<usize> = rows.iter().rev().copied().collect();
        assert_eq!(json(&rows), json(&sorted));
        assert_eq!(json(&rows), json(&reversed));
    }
}

#[test]
fn no_piece_has_more_rows_than_a_piece() {
    let n = 200_000;
    let text: String = "a,b\n".chars().chain((0..n).flat_map(|_| "1,2\n".chars())).collect();
    let (mut largest, mut next) = (0, 0);
    let rows = reader(&text).each_piece(|piece, first| {
        assert_eq!((first, piece.line(0)), (next, first as u64 + 2));
        largest = largest.max(piece.len());
        next += piece.len();
        Ok(())
    });
    assert_eq!((rows.unwrap(), largest), (n, reader::PIECE_ROWS));
}

#[test]
fn a_stream_without_rows_or_with_changes_is_reported() {
    let empty = "t.csv: line 1: a header, but no rows; write at least one row below it";
    assert_eq!(Schema::guess_stream(&mut reader("a,y\n"), &[]).unwrap_err().to_string(), empty);
    let two = "a,y\n1,p\n2,q\n4,p\n";
    let schema = Schema::guess(&table(two), &["y"]).unwrap();
    assert_eq!(schema.samples_stream(&mut reader("a,y\n")).unwrap_err().to_string(), empty);
    for second in ["a,y\n1,p\n2,q\n", "y,a\np,1\nq,2\np,4\n"] {
        let mut texts = [two, second].into_iter();
        let mut open = || Ok(reader(texts.next().unwrap()));
        let error = Encoder::fit_stream(&mut open, &schema, &|_| true).unwrap_err().to_string();
        assert_eq!(error, "t.csv: the table changed between two readings; let it be while it is read");
    }
    let mut open = || Ok(reader("a,y\n1,p\n2,q\nx,q\n"));
    let error = Encoder::fit_stream(&mut open, &schema, &|_| true).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: line 4, column `a`: `x` is not a number; correct it, or give the column another kind"
    );
    assert!(Encoder::fit_stream(&mut open, &schema, &|row| row < 2).is_ok(), "only training rows teach");
}

#[test]
fn what_is_guessed_from_does_not_grow_with_the_rows() {
    let many: String = (0..30_000).map(|i| format!("{i},u{},{}\n", i % 20_000, i * 7 % 30_000)).collect();
    let table = table(&format!("n,word,user_id\n{many}"));
    let schema = Schema::guess(&table, &[]).unwrap();
    assert_eq!(
        schema.remarks(),
        [
            "n: ignored, numbers that name the rows, from 0 to 29999",
            "word: ignored, more than 2000 different texts in 30000 rows",
            "user_id: ignored, numbers that name the rows, from 0 to 29999",
        ]
    );
    let error = Schema::guess(&table, &["word"]).unwrap_err().to_string();
    assert_eq!(error, "t.csv: column `word`: more than 10000 classes; is this the right column?");
}

#[test]
fn labels_that_come_late_are_known() {
    // More lists than are remembered; `late` is in none of those.
    let lists: String = (0..12_000).map(|i| format!("{},a|b{}|c{}\n", i, i % 120, i / 120)).collect();
    let table = table(&format!("n,y\n{lists}1,late|a\n"));
    let target = Schema::guess(&table, &["y"]).unwrap().target.unwrap();
    assert_eq!((target.separator, target.names.len()), (Some('|'), 1 + 120 + 100 + 1));
    assert!(target.names.contains(&"late".to_string()));
}

/// The most memory that this process has had, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Run it alone: `cargo test -p rekindle-data --lib -- --ignored --nocapture memory_is`.
#[test]
#[ignore = "writes a file of about 400 MB"]
#[cfg(target_os = "linux")]
fn memory_is_a_fraction_of_the_file() {
    use std::io::Write;
    let path = std::env::temp_dir().join(format!("rekindle-{}-large.csv", std::process::id()));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let names: Vec<String> = (0..20).map(|i| format!("x{i}")).collect();
    writeln!(file, "{},y", names.join(",")).unwrap();
    for i in 0..1_000_000u64 {
        for j in 0..20 {
            write!(file, "{},", ((i * 21 + j) as f64).sqrt()).unwrap();
        }
        writeln!(file, "{}", ["p", "q", "r"][i as usize % 3]).unwrap();
    }
    file.into_inner().unwrap();
    let size = std::fs::metadata(&path).unwrap().len();

    let before = peak();
    let mut open = || TableReader::open(&path, &CsvOptions::default());
    let schema = Schema::guess_stream(&mut open().unwrap(), &["y"]).unwrap();
    let samples = schema.samples_stream(&mut open().unwrap()).unwrap();
    let encoder = Encoder::fit_stream(&mut open, &schema, &|row| row % 5 != 0).unwrap();
    let spilled = encoder.spill(&mut open().unwrap(), std::env::temp_dir()).unwrap();
    assert_eq!((samples.rows.len(), spilled.x.len()), (1_000_000, 1_000_000));
    let pieces = (0..1_000_000 / 250).map(|i| spilled.x.range(250 * i..250 * (i + 1)).unwrap());
    let read: usize = pieces.map(|piece| piece.size(0)).sum();
    let grown = peak() - before;
    println!("{size} bytes, {read} rows: {grown} bytes of memory");
    std::fs::remove_file(&path).unwrap();
    assert!(grown < size / 4, "{grown} bytes of memory for a file of {size}");
}
