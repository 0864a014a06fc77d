//! What users rely on in networks, optimisers, schedulers and files of weights.

mod file;
mod layers;
mod module;
mod optim;
mod scheduler;
