//! Metrics: scikit-learn's and torchmetrics' figures, and laws that hold for any data.

mod golden;
mod laws;
mod mistakes;
