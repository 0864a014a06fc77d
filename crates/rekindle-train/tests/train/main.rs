//! What users rely on in recipes and metrics.

mod checkpoints;
mod corpus;
mod gpu;
mod learns;
mod metrics;
mod resume;
mod trainer;
