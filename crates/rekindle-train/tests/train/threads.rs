//! The bits of a run depend neither on the number of threads nor on whether its steps are replayed: every recipe of the
//! repository, some steps of it.

use rekindle_nn::Parameters;
use rekindle_tensor::set_num_threads;
use rekindle_train::{Recipe, Training};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

/// Batches of a short run, and epochs of a run on full batches; the rest of a longer one.
#[derive(Clone, Copy)]
struct Length {
    batches: usize,
    epochs: usize,
}

fn recipes() -> Vec<(String, Recipe)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let read = |path: &Path| {
        let recipe = Recipe::from_toml(&std::fs::read_to_string(path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), recipe)
    };
    paths.iter().map(|path| read(path)).collect()
}

/// Whether the images are at hand; else says loudly that something is not tested.
fn has_images() -> bool {
    let there = std::env::var("REKINDLE_DATA").is_ok_and(|data| Path::new(&data).join("mnist").exists());
    if !there {
        _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: recipes of images. Set REKINDLE_DATA to the folder that holds mnist/ and run again."
        );
    }
    there
}

/// The part of a recipe that is trained: all samples where a batch has all, else some batches.
fn shortened(recipe: &Recipe, length: Length) -> Recipe {
    match recipe.batch_size {
        None => Recipe { epochs: length.epochs, ..recipe.clone() },
        Some(_) => Recipe { overfit_batches: Some(length.batches), epochs: 1, ..recipe.clone() },
    }
}

/// Weights and rows, but for the times.
fn trained(recipe: &Recipe, threads: usize, eager: bool) -> (Vec<u8>, String) {
    set_num_threads(threads);
    let mut training = Training::new(recipe, None).unwrap();
    if eager {
        training = training.eager();
    }
    let mut rows = training.fit().unwrap();
    rows.iter_mut().for_each(|row| row.seconds = 0.0);
    (training.finish().net.state_dict().to_bytes(), format!("{rows:?}"))
}

/// What is held against one thread and replayed steps: the number of threads, and whether steps are eager.
const OTHERS: [(usize, bool); 4] = [(2, false), (4, false), (1, true), (4, true)];

fn every_recipe_is_the_same(
    which: impl Fn(&str, &Recipe) -> bool,
    length: Length,
    others: &[(usize, bool)],
) -> usize {
    /// The number of threads is one for all tests; others may change it meanwhile only in another process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let all = recipes();
    let recipes: Vec<_> = all.iter().filter(|(name, recipe)| which(name, recipe)).collect();
    for (name, recipe) in &recipes {
        let recipe = shortened(recipe, length);
        let one = trained(&recipe, 1, false);
        for &(threads, eager) in others {
            let other = trained(&recipe, threads, eager);
            assert_eq!(other.1, one.1, "{name}: {threads} threads, eager: {eager}");
            assert!(other.0 == one.0, "{name}: the weights of {threads} threads differ, eager: {eager}");
        }
    }
    eprintln!("{} recipes: the same bytes with 1 thread and {others:?} (threads, eager)", recipes.len());
    recipes.len()
}

fn is_of_images(recipe: &Recipe) -> bool {
    format!("{:?}", recipe.data).to_lowercase().contains("mnist")
}

#[test]
fn recipes_of_points_have_the_same_bytes_on_any_number_of_threads() {
    let length = Length { batches: 8, epochs: 20 };
    assert!(every_recipe_is_the_same(|_, recipe| !is_of_images(recipe), length, &OTHERS) >= 13);
}

/// One of each kind of net, because most of the time is spent on reading images; the others are by hand.
#[test]
fn recipes_of_images_have_the_same_bytes_on_any_number_of_threads() {
    const KINDS: [&str; 4] = ["05wk-1-4A", "05wk-1-4D-gpu", "06wk-2-4F-cnn", "mnist"];
    if has_images() {
        let length = Length { batches: 2, epochs: 1 };
        let which = |name: &str, _: &Recipe| KINDS.contains(&name);
        assert_eq!(every_recipe_is_the_same(which, length, &[(2, false), (4, true)]), 4);
    }
}

#[test]
#[ignore = "20 minutes: cargo test -p rekindle-train --test train every_recipe_longer -- --ignored --nocapture"]
fn every_recipe_longer_has_the_same_bytes_on_any_number_of_threads() {
    assert!(has_images());
    assert!(every_recipe_is_the_same(|_, _| true, Length { batches: 10, epochs: 20 }, &OTHERS) >= 30);
}
