//! GPUs as Rekindle sees them: memory, copies and kernel launches, and nothing of what is computed.
//!
//! A [`Gpu`] is an open device; [`Memory`] is a block of 32-bit words on it; a [`Kernel`] is a WGSL text with its bindings. Launches are
//! collected and submitted together; they run in the order in which they were made. A [`Recording`] is a list of launches that can be
//! replayed with the memory it was made with: the work of a training step without the work of finding out what that is.
//!
//! The way to the hardware is wgpu: Vulkan, Metal or Direct3D 12, whichever driver is there.
//!
//! ```no_run
//! use rekindle_gpu::{Gpu, Kernel};
//! let gpu = Gpu::open(0)?;
//! let twice = Kernel {
//!     name: "twice".into(),
//!     io: "x: f32 -> y: f32".into(),
//!     params: "n".into(),
//!     body: "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
//!         if (id.x < p.n) { y[id.x] = 2.0 * x[id.x]; }
//!     }".into(),
//! };
//! let x = gpu.upload(&[1.5f32.to_bits(); 64])?;
//! let y = gpu.alloc(64)?;
//! gpu.launch(&gpu.pipeline("twice", || twice)?, &[&x, &y], &[64], [1, 1, 1]);
//! assert_eq!(f32::from_bits(gpu.download(&y, 0..64)?[0]), 3.0);
//! # Ok::<(), rekindle_gpu::Error>(())
//! ```

mod adapters;
mod device;
mod error;
mod fuse;
mod kernel;
mod memory;
mod queue;
mod recording;

pub use adapters::{Info, Kind, devices};
pub use device::Gpu;
pub use error::Error;
pub use fuse::{Operand, Statement};
pub use kernel::{Kernel, Pipeline};
pub use memory::Memory;
pub use recording::{Live, Recording, Replay, Trace};
