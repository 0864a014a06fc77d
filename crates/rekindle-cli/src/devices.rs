//! `rekindle devices`: where this machine can compute; and the flag `--device` of other commands.

use crate::Failure;
use crate::output::say;
use rekindle::Device;
use rekindle::gpu::{Info, Kind};

/// List where this machine can compute
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle devices                   the processor and every GPU whose driver is installed
  rekindle devices --json            one JSON object, with limits
  rekindle train mnist --device gpu  on the first GPU of the list

GPUs are reached through Vulkan, Metal or Direct3D 12, whichever driver is there. `--device auto` takes the
first real GPU; a software driver, which plays one on the processor, is taken only where it is named.")]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The flag of the commands that compute.
#[derive(clap::Args)]
pub struct Choice {
    /// cpu, gpu, gpu:1, .. or auto, the best of `rekindle devices`
    #[arg(long = "device", default_value = "cpu", value_name = "DEVICE")]
    device: Device,
}

impl Choice {
    /// The device, which is there and works.
    pub fn device(&self) -> Result<Device, Failure> {
        self.device.check().map_err(Failure::failed)?;
        Ok(self.device)
    }
}

/// A device with its name.
pub fn described(device: Device) -> String {
    match device {
        Device::Gpu(i) if i < Device::gpus().len() => format!("{device}, {}", Device::gpus()[i].name),
        _ => device.to_string(),
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let gpus = Device::gpus();
    if args.json {
        say!("{}", json(&gpus));
        return Ok(());
    }
    let mut rows = vec![["device", "name", "through", "memory", "largest tensor"].map(String::from)];
    let threads = format!("{} threads", rekindle::num_threads());
    rows.push(["cpu".into(), threads, String::new(), String::new(), String::new()]);
    for (i, gpu) in gpus.iter().enumerate() {
        let through = format!("{}, {}", gpu.backend, kind(gpu.kind));
        let memory = gpu.memory.map_or("unknown".into(), size);
        rows.push([format!("gpu:{i}"), gpu.name.clone(), through, memory, size(gpu.max_tensor)]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    for row in &rows {
        let cells = row.iter().enumerate().map(|(i, cell)| format!("{cell:<0$}", width(i) + 2));
        say!("{}", cells.collect::<String>().trim_end());
    }
    say!("\nauto is {}", Device::auto());
    if gpus.is_empty() {
        say!("no GPU was found; one needs its driver for Vulkan, Metal or Direct3D 12");
    }
    Ok(())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Discrete => "discrete",
        Kind::Integrated => "integrated",
        Kind::Virtual => "virtual",
        Kind::Other => "other",
        Kind::Software => "software",
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{} MB", bytes / 1_000_000)
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}

fn json(gpus: &[Info]) -> serde_json::Value {
    let of = |(i, gpu): (usize, &Info)| {
        serde_json::json!({
            "device": format!("gpu:{i}"), "name": gpu.name, "backend": gpu.backend, "driver": gpu.driver, "kind": kind(gpu.kind),
            "memory_bytes": gpu.memory, "max_tensor_bytes": gpu.max_tensor,
            "max_threads_per_workgroup": gpu.max_threads, "shared_memory_bytes": gpu.shared_memory,
        })
    };
    let cpu = serde_json::json!({"device": "cpu", "threads": rekindle::num_threads()});
    let devices: Vec<serde_json::Value> =
        std::iter::once(cpu).chain(gpus.iter().enumerate().map(of)).collect();
    serde_json::json!({"devices": devices, "auto": Device::auto().to_string()})
}
