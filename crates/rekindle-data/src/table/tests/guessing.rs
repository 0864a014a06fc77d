//! What columns are taken for.

use super::*;

/// The remarks about a table of one column `x`, beside the label.
fn remark(cells: &[&str]) -> String {
    let rows = cells.iter().enumerate().map(|(i, cell)| [*cell, ["p", "q"][i % 2]]);
    let table = Table::new("t.csv", &["x", "y"], rows).unwrap();
    Schema::guess(&table, &["y"]).unwrap().remarks()[0].clone()
}

#[test]
fn kinds_and_their_reasons() {
    let cases: [(&[&str], &str); 18] = [
        (&["17", "90", "", "NA", "n/a", "20"], "x: numbers from 17 to 90, 3 missing"),
        (&["1.5", "-2e3", "?"], "x: numbers from -2000 to 1.5, 1 missing"),
        (&["5", "", "5"], "x: always the number 5, 1 missing"),
        (&["1", "2", "many"], "x: numbers from 1 to 2, but `many` on line 4 is none"),
        (&["1,5", "2,5"], "x: numbers, but `1,5` on line 2 is none"),
        (&["1", "inf", "1e400"], "x: always the number 1, but `inf` on line 3 is none"),
        (&["yes", "No", "null"], "x: true or false, as `No`, `yes`, 1 missing"),
        (&["0", "1", "1"], "x: true or false, as `0`, `1`"),
        (&["2026-11-22", "2024-02-29"], "x: dates from 2024-02-29 to 2026-11-22"),
        (&["2026-11-22", "2023-02-29"], "x: 2 categories: `2023-02-29`, `2026-11-22`"),
        (&["red", "blue", "red", "None"], "x: 2 categories: `red`, `blue`, 1 missing"),
        (&["only", "only"], "x: ignored, always `only`"),
        (&["only", ""], "x: 1 category: `only`, 1 missing"),
        (&["", "NaN"], "x: ignored, every cell is missing"),
        (&["1", "2", "3"], "x: numbers from 1 to 3"),
        (
            &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
            "x: ignored, numbers that name the rows, from 1 to 10",
        ),
        (&["1", "2", "3", "4", "5", "6", "7", "8", "9", "11"], "x: numbers from 1 to 11"),
        (&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"], "x: ignored, a text of its own in every row"),
    ];
    for (cells, expected) in cases {
        assert_eq!(remark(cells), expected);
    }
}

#[test]
fn columns_of_many_texts_are_ignored() {
    let texts: Vec<String> = (0..100).map(|i| format!("text {}", i.min(79))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(remark(&texts), "x: ignored, 80 different texts in 100 rows");
    let texts: Vec<String> = (0..3000).map(|i| format!("text {}", i % 1001)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(remark(&texts), "x: ignored, 1001 different texts in 3000 rows");
    let texts: Vec<String> = (0..200).map(|i| format!("text {}", i % 60)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert!(remark(&texts).starts_with("x: 60 categories: `text 0`"), "{}", remark(&texts));
}

#[test]
fn columns_named_id_are_ignored() {
    let schema = |text: &str| Schema::guess(&table(text), &["y"]).unwrap().remarks();
    assert_eq!(
        schema("user_id,y\n17,p\n3,q\n")[0],
        "user_id: ignored, numbers that name the rows, from 3 to 17"
    );
    assert_eq!(schema("id,y\n17,p\n17,q\n3,q\n")[0], "id: numbers from 3 to 17");
    assert_eq!(schema("width,y\n17,p\n3,q\n")[0], "width: numbers from 3 to 17");
}

#[test]
fn targets_and_their_reasons() {
    let target = |text: &str, labels: &[&str]| {
        let schema = Schema::guess(&table(text), labels).unwrap();
        (schema.target.clone().unwrap().kind, schema.remarks().pop().unwrap())
    };
    use TargetKind::{Classes, Labels, Numbers};
    assert_eq!(
        target("x,y\n1,10\n2,9\n3,\n", &["y"]),
        (Classes, "y: to be learned, 2 classes: `9`, `10`, 1 missing".into())
    );
    assert_eq!(
        target("x,y\n1,cat\n2,Dog\n", &["y"]),
        (Classes, "y: to be learned, 2 classes: `Dog`, `cat`".into())
    );
    assert_eq!(
        target("x,y\n1,0.5\n2,1.5\n3,2.5\n", &["y"]),
        (Numbers, "y: to be learned, numbers from 0.5 to 2.5".into())
    );
    let whole: String = (0..21).map(|i| format!("1,{}\n", i * i)).collect();
    assert_eq!(
        target(&format!("x,y\n{whole}"), &["y"]),
        (Numbers, "y: to be learned, numbers from 0 to 400".into())
    );
    assert_eq!(
        target("x,y\n1,a|b\n2,b\n3,\n", &["y"]),
        (Labels, "y: to be learned, lists of 2 labels: `a`, `b`, 1 missing".into())
    );
    assert_eq!(target("x,y\n1,a; b\n2,b\n", &["y"]).0, Labels);
    assert_eq!(target("x,y\n1,a;b\n2,c\n", &["y"]).0, Classes, "no part recurs");
    assert_eq!(
        target("x,y,z\n1,0,yes\n2,1,no\n", &["z", "y"]),
        (Labels, "z, y: to be learned, 2 labels, a column each".into())
    );
    assert_eq!(
        target("x,y,z\n1,0.5,2\n2,1,3\n", &["y", "z"]),
        (Numbers, "y, z: to be learned, 2 numbers, a column each".into())
    );
}

#[test]
fn labels_that_make_no_sense_together_are_reported() {
    let table = table("x,y,z\n1,0,cat\n2,1,dog\n");
    let says = |labels: &[&str]| Schema::guess(&table, labels).unwrap_err().to_string();
    assert_eq!(
        says(&["y", "z"]),
        "t.csv: column `z`: several label columns that are neither true or false nor numbers; \
         name one label column, or columns of 0 and 1"
    );
    assert_eq!(says(&["y", "y"]), "t.csv: column `y`: a label twice; name it once");
    assert_eq!(says(&["y", "zz"]), "t.csv: there is no column `zz`; did you mean `z`?");
}

#[test]
fn a_schema_travels_as_toml_and_json() {
    let table = table("x,y\n1,a|b\n2,b\n");
    let schema = Schema::guess(&table, &["y"]).unwrap();
    let text = toml::to_string(&schema).unwrap();
    assert_eq!(toml::from_str::<Schema>(&text).unwrap(), schema);
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);

    let by_hand = "missing = \"drop\"\n[[columns]]\nname = \"x\"\nkind = \"categorical\"\n";
    let schema: Schema = toml::from_str(by_hand).unwrap();
    assert_eq!((schema.missing, schema.unseen, schema.target), (Missing::Drop, Unseen::Error, None));
    assert!(toml::from_str::<Schema>("colums = []").is_err());
}

#[test]
fn weekdays_are_those_of_the_calendar() {
    let weekday = |date| cell::parse_date(date).unwrap()[3];
    assert_eq!(weekday("2026-11-22"), 6.0);
    assert_eq!(weekday("2024-02-29"), 3.0);
    assert_eq!(weekday("1970-01-01"), 3.0);
    assert_eq!(weekday("2000-03-01"), 2.0);
    assert_eq!(weekday("0001-01-01"), 0.0);
    for no_date in
        ["2026-13-01", "2026-00-01", "2026-01-00", "1900-02-29", "2026-1-1", "2026-04-31", "+026-01-01"]
    {
        assert_eq!(cell::parse_date(no_date), None, "{no_date}");
    }
}
