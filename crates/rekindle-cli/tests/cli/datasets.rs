//! `rekindle datasets`: the list, and a look into each set.

use crate::{Folder, fails_with, image_data, rekindle, succeeds};

#[test]
fn the_list_names_every_set_with_its_sizes() {
    insta::assert_snapshot!("datasets", succeeds(&rekindle(&["datasets"])));
}

#[test]
fn circles_begin_with_the_rows_of_the_lecture() {
    let text = succeeds(&rekindle(&["datasets", "show", "circles"]));
    // The lecture's first rows of X_train.
    assert!(text.contains("[ 0.657946 -0.465081]  ->  1"), "{text}");
    insta::assert_snapshot!("datasets_show_blobs", succeeds(&rekindle(&["datasets", "show", "blobs"])));
}

#[test]
fn every_made_set_can_be_looked_into_and_drawn() {
    for name in ["moons", "spirals", "xor", "gaussians", "classification", "discs", "line"] {
        let folder = Folder::new();
        let text = succeeds(&folder.rekindle(&["datasets", "show", name, "--output", "picture.svg"]));
        assert!(text.contains("first rows of the training data") && text.contains("picture.svg"), "{text}");
        assert!(folder.read("picture.svg").starts_with("<svg"));
    }
    fails_with(&rekindle(&["datasets", "show", "moon"]), 1, "did you mean `moons`?");
    fails_with(&rekindle(&["datasets", "show", "moons", "--output", "a.jpg"]), 1, ".png or .svg");
}

#[test]
fn digits_are_shown_as_text() {
    let Some(data) = image_data() else { return };
    let text = succeeds(&rekindle(&["datasets", "show", "mnist", "--data", &data]));
    assert!(text.contains("train       x [50000, 784] f32, y [50000] i64"), "{text}");
}
