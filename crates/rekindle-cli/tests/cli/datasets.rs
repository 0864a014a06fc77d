//! `rekindle datasets`: the list, and a look into each set.

use crate::{Folder, fails_with, image_data, rekindle, succeeds};

#[test]
fn the_list_names_every_set_with_its_sizes() {
    insta::assert_snapshot!("datasets", succeeds(&rekindle(&["datasets"])));
}

#[test]
fn circles_begin_with_the_rows_of_the_lecture() {
    let text = succeeds(&rekindle(&["datasets", "show", "circles"]));
    assert!(text.contains("[ 0.75424625  0.23148074]  ->  1\n  [-0.75615888  0.15325888]  ->  1"), "{text}");
    insta::assert_snapshot!("datasets_show_blobs", succeeds(&rekindle(&["datasets", "show", "blobs"])));
}

#[test]
fn every_made_set_can_be_looked_into_and_drawn() {
    for name in ["moons", "spirals", "xor", "gaussians", "classification", "discs", "line"] {
        let folder = Folder::new();
        let text = succeeds(&folder.rekindle(&["datasets", "show", name, "--output", "picture.svg"]));
        assert!(text.contains("first rows, before they are split") && text.contains("picture.svg"), "{text}");
        assert!(folder.read("picture.svg").starts_with("<svg"));
    }
    fails_with(&rekindle(&["datasets", "show", "moon"]), 1, "did you mean `moons`?");
    let wrong = rekindle(&["datasets", "show", "moons", "--output", "a.jpg"]);
    fails_with(&wrong, 1, "a picture is a .png or a .svg");
    assert!(wrong.stdout.is_empty());
}

#[test]
fn digits_are_shown_as_text() {
    let Some(data) = image_data() else { return };
    let text = succeeds(&rekindle(&["datasets", "show", "mnist", "--data", &data]));
    assert!(text.contains("train       x [50000, 784] f32, y [50000] i64"), "{text}");
    // The first five labels of the file.
    let labels: Vec<&str> =
        text.lines().filter_map(|l| l.split_once("mean ")?.1.split_once("->  ")).map(|l| l.1).collect();
    assert_eq!(labels, ["5", "0", "4", "1", "9"]);
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}
