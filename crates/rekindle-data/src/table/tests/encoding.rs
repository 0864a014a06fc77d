//! Tables as tensors.

use super::*;

const MIXED: &str =
    "n,c,b,d,y\n1,red,yes,2024-01-01,p\n3,,no,2024-01-08,q\n,blue,,,p\n5,red,yes,2026-01-05,q\n";

fn fit_with(text: &str, change: impl FnOnce(&mut Schema)) -> Result<Encoder> {
    let table = table(text);
    let mut schema = Schema::guess(&table, &["y"]).unwrap();
    change(&mut schema);
    Encoder::fit(&table, &schema, &(0..table.len()).collect::<Vec<_>>())
}

#[test]
fn every_kind_becomes_its_features() {
    let encoder = fit(&table(MIXED), "y").unwrap();
    let names = ["n", "c=blue", "c=red", "c=(missing)", "b", "d.year", "d.month", "d.day", "d.weekday"];
    assert_eq!(encoder.feature_names(), names);
    let data = encoder.encode(&table(MIXED)).unwrap();
    assert_eq!(data.x.shape(), [4, 9]);
    assert_eq!(data.y.to_vec::<i64>(), [0, 1, 0, 1]);
    assert_eq!(data.rows, [0, 1, 2, 3]);

    // 1, 3, 5: mean 3, population variance 8/3.
    let std = (8f64 / 3.0).sqrt();
    let column = |i: isize| data.x.select(1, i).to_vec::<f32>();
    assert_eq!(column(0), [(-2.0 / std) as f32, 0.0, 0.0, (2.0 / std) as f32]);
    assert_eq!(column(1), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(column(2), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(column(3), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(column(4), [1.0, 0.0, 2f32 / 3.0, 1.0]);
    // 2024, 2024, 2026: mean 2024 2/3, variance 8/9.
    assert!((column(5)[3] - 2f32.sqrt()).abs() < 1e-6 && column(5)[2] == 0.0);
    assert_eq!(column(6), [0.0; 4], "all in January");
    assert_eq!(column(8), [0.0; 4], "all on a Monday");
}

#[test]
fn only_training_rows_teach() {
    let table = table("n,c,y\n1,red,p\n3,blue,q\n1000,green,p\n");
    let schema = Schema::guess(&table, &["y"]).unwrap();
    let encoder = Encoder::fit(&table, &schema, &[0, 1]).unwrap();
    assert_eq!(encoder.feature_names(), ["n", "c=blue", "c=red"]);
    assert_eq!(encoder.columns()[0].learned, Learned::Numeric { mean: 2.0, std: 1.0 });
    let error = encoder.encode(&table).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 4, column `c`: training had no category `green`; there are blue, red");
    let data = encoder.encode(&table.select(&[1, 0])).unwrap();
    assert_eq!(data.x.to_vec::<f32>(), [1.0, 1.0, 0.0, -1.0, 0.0, 1.0]);
}

#[test]
fn unseen_categories_may_be_ignored() {
    let encoder = fit_with("c,y\nred,p\nblue,q\n", |schema| schema.unseen = Unseen::Ignore).unwrap();
    let x = encoder.encode_inputs(&table("c,z\ngreen,1\n,1\nred,1\n")).unwrap();
    assert_eq!(x.to_vec::<f32>(), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn rows_with_missing_cells_may_be_left_out() {
    let text = "n,c,unused,y\n1,red,,p\n,red,u,q\n3,,v,q\n5,blue,w,q\n7,red,x,\n";
    let encoder = fit_with(text, |schema| {
        schema.missing = Missing::Drop;
        schema.set_kind("unused", Kind::Ignored);
    })
    .unwrap();
    assert_eq!(encoder.columns()[0].learned, Learned::Numeric { mean: 3.0, std: 2.0 });
    let data = encoder.encode(&table(text)).unwrap();
    assert_eq!((data.rows, data.x.shape(), data.y.to_vec::<i64>()), (vec![0, 3], &[2, 3][..], vec![0, 1]));
    let error = encoder.encode_inputs(&table(text)).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: line 3, column `n`: the cell is missing, and training left out such rows; fill it in"
    );
    let none =
        fit_with("n,y\n,p\n1,\n2,\n", |schema| schema.missing = Missing::Drop).unwrap_err().to_string();
    assert_eq!(none, "t.csv: no rows to learn from; keep rows with missing cells, or fill them in");
}

#[test]
fn missing_cells_may_be_errors() {
    let error = fit_with(MIXED, |schema| schema.missing = Missing::Error).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: line 3, column `c`: the cell is missing; fill it in, or choose `mean` or `drop` for missing cells"
    );
}

#[test]
fn a_column_that_says_nothing_in_training_is_reported() {
    let table = table("n,y\n1,p\n2,q\n,p\n,q\n");
    let schema = Schema::guess(&table, &["y"]).unwrap();
    let error = Encoder::fit(&table, &schema, &[2, 3]).unwrap_err().to_string();
    assert_eq!(error, "t.csv: column `n`: every cell of the training rows is missing; ignore the column");
}

#[test]
fn constant_numbers_are_zero() {
    let table = table("n,m,y\n0.1,1,p\n0.1,2,q\n0.1,3,p\n7,4,p\n");
    let schema = Schema::guess(&table, &["y"]).unwrap();
    let encoder = Encoder::fit(&table, &schema, &[0, 1, 2]).unwrap();
    assert_eq!(encoder.columns()[0].learned, Learned::Numeric { mean: 0.1, std: 0.0 });
    assert_eq!(encoder.encode(&table).unwrap().x.select(1, 0).to_vec::<f32>(), [0.0; 4]);
}

#[test]
fn kinds_may_be_declared() {
    let text = "n,y\n1,p\n2,q\n1,q\n";
    let encoder = fit_with(text, |schema| schema.set_kind("n", Kind::Categorical)).unwrap();
    assert_eq!(encoder.feature_names(), ["n=1", "n=2"]);
    let error = fit_with(text, |schema| schema.set_kind("n", Kind::Date)).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: line 2, column `n`: `1` is not a date such as 2026-11-22; correct it, or give the column another kind"
    );
    let error = fit_with(text, |schema| schema.set_kind("m", Kind::Date)).unwrap_err().to_string();
    assert_eq!(error, "t.csv: there is no column `m`; there are n, y");
    let error = fit_with(text, |schema| schema.set_kind("y", Kind::Boolean)).unwrap_err().to_string();
    assert_eq!(error, "t.csv: column `y`: the column is used twice; name it once");
}

#[test]
fn a_target_without_columns_is_reported() {
    let error = fit_with("n,y\n1,p\n2,q\n", |schema| schema.target.as_mut().unwrap().columns.clear());
    let line = error.unwrap_err().to_string();
    assert_eq!(line, "t.csv: a target without columns; name a label column");
}

#[test]
fn words_for_missing_cells_may_be_declared() {
    let text = "n,y\n1,None\n-99,Mild\n3,none\n,Mild\n";
    let error = fit_with(text, |_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: line 2, column `y`: the label is missing; fill it in, or choose `drop` for missing cells"
    );
    let encoder = fit_with(text, |schema| {
        schema.missing_words = vec!["-99".into()];
        schema.target.as_mut().unwrap().names.clear();
    })
    .unwrap();
    assert_eq!(encoder.class_names(), ["Mild", "None", "none"]);
    assert_eq!(encoder.columns()[0].learned, Learned::Numeric { mean: 2.0, std: 1.0 });
    let again = Encoder::from_json(&encoder.to_json()).unwrap();
    assert_eq!(again.encode_inputs(&table("n\n-99\n3\n")).unwrap().to_vec::<f32>(), [0.0, 1.0]);
}

#[test]
fn labels_that_nobody_has_or_that_come_twice_are_reported() {
    let declare = |text: &str, names: &[&str]| {
        let changed = fit_with(text, |schema| {
            schema.target.as_mut().unwrap().names = names.iter().map(ToString::to_string).collect();
        });
        changed.unwrap_err().to_string()
    };
    let classes = "n,y\n1,p\n2,q\n";
    assert_eq!(declare(classes, &["p", "q", "p"]), "t.csv: column `y`: `p` is declared twice; name it once");
    let table = table("n,y\n1,a|b\n2,b\n3,\n4,\n");
    let mut schema = Schema::guess(&table, &["y"]).unwrap();
    schema.target.as_mut().unwrap().names.clear();
    let error = Encoder::fit(&table, &schema, &[2, 3]).unwrap_err().to_string();
    assert_eq!(error, "t.csv: column `y`: no training row has a label; is this the right column?");
}

#[test]
fn classes_may_be_declared_in_an_order() {
    let declare = |names: &[&str]| {
        fit_with("n,y\n1,low\n2,high\n", |schema| {
            schema.target.as_mut().unwrap().names = names.iter().map(ToString::to_string).collect();
        })
    };
    assert_eq!(declare(&["low", "high"]).unwrap().class_names(), ["low", "high"]);
    assert_eq!(declare(&[]).unwrap().class_names(), ["high", "low"]);
    let encoder = declare(&["low"]).unwrap();
    let error = encoder.encode(&table("n,y\n1,high\n")).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 2, column `y`: training had no class `high`; there are low");
}

#[test]
fn classes_that_are_numbers_have_the_order_of_numbers() {
    let encoder = fit(&table("n,y\n1,10\n2,9\n3,-1\n"), "y").unwrap();
    assert_eq!(encoder.class_names(), ["-1", "9", "10"]);
}

#[test]
fn labels_are_columns_or_lists() {
    let list = table("n,y\n1,b|a\n2,b\n3,\n4,none\n");
    let encoder = fit(&list, "y").unwrap();
    assert_eq!(encoder.class_names(), ["a", "b"]);
    let y = encoder.encode(&list).unwrap().y;
    assert_eq!((y.shape(), y.to_vec::<f32>()), (&[4, 2][..], vec![1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]));
    let error = encoder.encode(&table("n,y\n1,a|bb\n")).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 2, column `y`: training had no label `bb`; did you mean `b`?");

    let columns = table("n,p,q\n1,0,yes\n2,1,no\n3,1,yes\n");
    let schema = Schema::guess(&columns, &["q", "p"]).unwrap();
    let encoder = Encoder::fit(&columns, &schema, &[0, 1, 2]).unwrap();
    assert_eq!(encoder.class_names(), ["q", "p"]);
    assert_eq!(encoder.encode(&columns).unwrap().y.to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let error = encoder.encode(&table("n,p,q\n1,2,no\n")).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 2, column `p`: `2` is neither true nor false; write 1 or 0");
}

#[test]
fn an_encoder_comes_back_to_the_last_bit() {
    let text: String =
        (0..400).map(|i| format!("{},{},{}\n", (i as f64).sqrt(), 0.1 * i as f64, i % 3)).collect();
    let encoder = fit(&table(&format!("a,b,y\n{text}")), "y").unwrap();
    assert_eq!(Encoder::from_json(&encoder.to_json()).unwrap(), encoder);
    let mixed = fit(&table(MIXED), "y").unwrap();
    assert_eq!(Encoder::from_json(&mixed.to_json()).unwrap(), mixed);
    // Numbers that an inexact reader of JSON gets wrong by one bit.
    let mean = 0.017_975_352_304_816_067_f64;
    let json = mixed.to_json().replace("\"mean\":3.0", &format!("\"mean\":{mean}"));
    let again = Encoder::from_json(&json).unwrap();
    assert!(matches!(again.columns()[0].learned, Learned::Numeric { mean: m, .. } if m == mean), "{json}");
}

#[test]
fn an_encoder_that_nobody_learned_is_refused() {
    let json = fit(&table(MIXED), "y").unwrap().to_json();
    for (from, to) in [
        ("\"mean\":3.0,\"std\":1", "\"mean\":3.0,\"std\":-1"),
        ("\"mean\":3.0", "\"mean\":1e999"),
        ("[\"blue\",\"red\"]", "[\"red\",\"blue\"]"),
        ("\"mean\":0.6", "\"mean\":6.6"),
        ("\"unseen\"", "\"unsene\""),
        ("\"columns\":[\"y\"]", "\"columns\":[]"),
    ] {
        assert!(json.contains(from), "{from} in {json}");
        assert!(Encoder::from_json(&json.replace(from, to)).is_err(), "{to}");
    }
    let error = Encoder::from_json("{").unwrap_err().to_string();
    assert!(error.starts_with("encoder: EOF") && error.ends_with("; train the model again"), "{error}");
}

#[test]
fn too_many_categories_are_refused() {
    let text: String = (0..1001).map(|i| format!("c{i},{}\n", i % 2)).collect();
    let error =
        fit_with(&format!("c,y\n{text}"), |schema| schema.set_kind("c", Kind::Categorical)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.csv: column `c`: 1001 categories, more than 1000; join rare ones, or ignore the column"
    );
}

#[test]
fn nothing_to_learn_is_reported() {
    let table = table("n\n1\n2\n4\n");
    let encoder = Encoder::fit(&table, &Schema::guess(&table, &[]).unwrap(), &[0, 1, 2]).unwrap();
    assert_eq!(encoder.encode_inputs(&table).unwrap().shape(), [3, 1]);
    let error = encoder.encode(&table).unwrap_err().to_string();
    assert_eq!(error, "t.csv: nothing is to be learned from this table; name a label column");
}

#[test]
fn embedded_columns_are_indices() {
    let text = "n,c,d,y\n1,red,u,p\n3,,v,q\n5,blue,u,p\n";
    let embed = |schema: &mut Schema| {
        schema.set_kind("c", Kind::Embedding);
        schema.set_kind("d", Kind::Embedding);
    };
    let encoder = fit_with(text, embed).unwrap();
    assert_eq!(encoder.feature_names(), ["n", "c", "d"]);
    assert_eq!(encoder.embeddings(), [(1, 3), (2, 3)]);
    let x = encoder.encode(&table(text)).unwrap().x;
    assert_eq!(x.select(1, 1).to_vec::<f32>(), [2.0, 0.0, 1.0]);
    assert_eq!(x.select(1, 2).to_vec::<f32>(), [1.0, 2.0, 1.0]);
    assert_eq!(Encoder::from_json(&encoder.to_json()).unwrap(), encoder);
    let error = |text| encoder.encode_inputs(&table(text)).unwrap_err().to_string();
    assert_eq!(
        error("n,c,d\n1,rde,u\n"),
        "t.csv: line 2, column `c`: training had no category `rde`; did you mean `red`?"
    );
    assert_eq!(
        error("n,c,d\n1,red,\n"),
        "t.csv: line 2, column `d`: the cell is missing, and in training none was; fill it in, or choose `ignore` for unseen categories"
    );
    let lenient = fit_with(text, |schema| {
        embed(schema);
        schema.unseen = Unseen::Ignore;
    });
    let x = lenient.unwrap().encode_inputs(&table("n,c,d\n3,rde,\n")).unwrap();
    assert_eq!(x.to_vec::<f32>(), [0.0, 0.0, 0.0]);
    // Far more categories than could be features.
    let many: String = (0..5000).map(|i| format!("1,c{i},u,{}\n", i % 2)).collect();
    let encoder = fit_with(&format!("n,c,d,y\n{many}"), embed).unwrap();
    assert_eq!(encoder.embeddings(), [(0, 5001), (1, 2)]);
}

#[test]
fn numbers_to_be_learned_are_standardised() {
    let text = "n,a,b\n1,10.5,-2\n2,20.5,-4\n3,99,-6\n";
    let table = table(text);
    let schema = Schema::guess(&table, &["a", "b"]).unwrap();
    let encoder = Encoder::fit(&table, &schema, &[0, 1]).unwrap();
    assert_eq!(encoder.target_scale(), Some(&[(15.5, 5.0), (-3.0, 1.0)][..]));
    assert_eq!(encoder.encode(&table).unwrap().y.to_vec::<f32>(), [-1.0, 1.0, 1.0, -1.0, 16.7, -3.0]);
    let json = encoder.to_json();
    assert_eq!(Encoder::from_json(&json).unwrap(), encoder);
    // An encoder from before.
    let scale = ",\"target_scale\":[[15.5,5.0],[-3.0,1.0]]";
    assert!(json.contains(scale), "{json}");
    let old = Encoder::from_json(&json.replace(scale, "")).unwrap();
    assert_eq!(old.target_scale(), None);
    assert_eq!(old.encode(&table).unwrap().y.to_vec::<f32>(), [10.5, -2.0, 20.5, -4.0, 99.0, -6.0]);
    for wrong in ["[[15.5,5.0]]", "[[15.5,5.0],[-3.0,0.0]]", "[[15.5,5.0],[-3.0,-1.0]]"] {
        let json = json.replace(scale, &format!(",\"target_scale\":{wrong}"));
        assert!(Encoder::from_json(&json).is_err(), "{wrong}");
    }
    let classes = fit_with("n,y\n1,p\n2,q\n", |_| ()).unwrap();
    assert_eq!((classes.target_scale(), classes.to_json().contains("target_scale")), (None, false));
}

#[test]
fn targets_that_are_all_the_same_are_refused() {
    let table = table("n,y\n1,0.5\n2,0.5\n3,1.5\n4,2.5\n");
    let schema = Schema::guess(&table, &["y"]).unwrap();
    let error = Encoder::fit(&table, &schema, &[0, 1]).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: column `y`: all 2 training rows have the number 0.5; give it others, or choose another column to be learned"
    );
}
