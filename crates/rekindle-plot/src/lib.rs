//! Every picture of Rekindle, as PNG and as SVG.
//!
//! A function for each kind of picture takes the data and gives a [`Plot`]; the plot takes title, names and size, and ends
//! in [`Plot::save`] (or [`Plot::draw`], for the bytes):
//!
//! ```
//! use rekindle_plot as plot;
//! use rekindle_tensor::{Tensor, tensor};
//!
//! let (x, y) = (tensor([[0.0, 0.1], [0.2, 0.0], [1.0, 0.9], [0.8, 1.0]]), tensor([0, 0, 1, 1]));
//! let net = |x: &Tensor| ((x.sum_dim(1, false) - 1.0) * 8.0).sigmoid(); // probabilities, not logits
//! let path = std::env::temp_dir().join("rekindle-plot-front-page.png");
//! plot::decision_boundary(&net, &[("Train", &x, &y)]).class_names(["left", "right"]).save(&path)?;
//! # std::fs::remove_file(path)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | picture | function |
//! |---|---|
//! | two features by class | [`scatter`] |
//! | regions of the predicted classes; probabilities | [`decision_boundary`], [`probability_surface`] |
//! | a regression | [`predictions`] |
//! | loss, accuracy, learning rate over time | [`curves`], [`history`], [`learning_rate`] |
//! | activation functions | [`activation`], [`activations`] |
//! | images with their classes; with a net's predictions | [`image_grid`], [`image_predictions`] |
//! | counts of actual and predicted classes | [`confusion_matrix`] |
//! | thresholds | [`roc`], [`precision_recall`] |
//! | whether probabilities can be believed | [`reliability`] |
//! | weights | [`weights_histogram`] |
//!
//! # What can be relied on
//! - The same data give the same bytes, on any thread.
//! - Text is outlines from fonts inside of the program: pictures look the same on every machine, in every script.
//! - Legends stand outside of the data; colours are those of Okabe and Ito, and shapes or dashes differ too.
//! - No data make a function panic: numbers that are not finite are left out and counted, and where nothing is left
//!   the picture says "no finite values". Shapes that do not fit are mistakes, as everywhere.
//!
//! # How it works
//! [plotters](https://docs.rs/plotters) maps data to the page and draws elements on our backend, which writes SVG. The PNG is
//! that SVG, painted by [resvg](https://docs.rs/resvg).

mod activations;
mod axis;
mod boundary;
mod canvas;
mod classes;
mod color;
mod confusion;
mod curves;
mod field;
mod font;
mod histogram;
mod images;
mod legend;
mod marker;
mod panel;
mod picture;
mod plot;
mod predictions;
mod rates;
mod reliability;
mod scatter;
mod svg;

pub use activations::{Named, activation, activations};
pub use boundary::{Labelled, decision_boundary, probability_surface};
pub use confusion::confusion_matrix;
pub use curves::{Series, curves, history, learning_rate};
pub use histogram::weights_histogram;
pub use images::{image_grid, image_predictions};
pub use picture::Picture;
pub use plot::Plot;
pub use predictions::predictions;
pub use rates::{Rates, precision_recall, roc};
pub use reliability::{Bin, reliability};
pub use scatter::scatter;
