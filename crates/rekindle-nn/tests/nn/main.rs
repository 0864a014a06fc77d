//! What users rely on in networks, losses, optimisers, schedulers and files of weights.

mod company;
mod errors;
mod file;
mod gpu;
mod layers;
mod losses;
mod module;
mod onnx;
mod optim;
mod printed;
mod scheduler;
