//! What users rely on in recipes and metrics.

mod corpus;
mod metrics;
