//! What users rely on in recipes and metrics.

mod corpus;
mod learns;
mod metrics;
mod resume;
mod trainer;
