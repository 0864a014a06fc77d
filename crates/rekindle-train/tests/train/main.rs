//! What users rely on in recipes and metrics.

mod checkpoints;
mod corpus;
mod gpu;
mod learns;
mod metrics;
mod not_finite;
mod resume;
mod threads;
mod trainer;
