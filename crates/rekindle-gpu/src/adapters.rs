//! Which devices the machine has.

use crate::error::Error;
use std::sync::LazyLock;

/// What a device is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A card with memory of its own.
    Discrete,
    /// A part of the processor's chip, on its memory.
    Integrated,
    /// A share of a card in a virtual machine.
    Virtual,
    /// Unknown.
    Other,
    /// A program that does what a GPU would, on the processor: for tests.
    Software,
}

/// What is known of a device.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its name, as the driver says.
    pub name: String,
    /// The interface through which it is reached: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// What it is made of.
    pub kind: Kind,
    /// The device's own memory in bytes, where the driver says.
    pub memory: Option<u64>,
    /// The largest single tensor in bytes.
    pub max_tensor: u64,
    /// Threads of a workgroup at most.
    pub max_threads: u32,
    /// Bytes that the threads of a workgroup share at most.
    pub shared_memory: u32,
}

pub(crate) struct Found {
    pub info: Info,
    pub adapter: wgpu::Adapter,
}

/// Looked for once: drivers take their time.
pub(crate) static FOUND: LazyLock<Vec<Found>> = LazyLock::new(|| {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let mut found: Vec<Found> =
        adapters.into_iter().map(|adapter| Found { info: info(&adapter), adapter }).collect();
    // The driver's order among equals.
    found.sort_by_key(|found| found.info.kind);
    found
});

fn info(adapter: &wgpu::Adapter) -> Info {
    let (info, limits) = (adapter.get_info(), adapter.limits());
    Info {
        name: info.name,
        backend: format!("{:?}", info.backend).to_lowercase(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
            wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
            wgpu::DeviceType::VirtualGpu => Kind::Virtual,
            wgpu::DeviceType::Cpu => Kind::Software,
            wgpu::DeviceType::Other => Kind::Other,
        },
        memory: memory(adapter),
        max_tensor: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        max_threads: limits.max_compute_invocations_per_workgroup,
        shared_memory: limits.max_compute_workgroup_storage_size,
    }
}

/// The size of the largest heap on the device, which only Vulkan tells.
#[cfg(not(target_vendor = "apple"))]
fn memory(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the handles are only asked for facts, and live as long as the adapter.
    unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        let properties = instance.get_physical_device_memory_properties(adapter.raw_physical_device());
        let heaps = &properties.memory_heaps[..properties.memory_heap_count as usize];
        // The first flag of Vulkan's heaps: memory of the device.
        heaps.iter().filter(|heap| heap.flags.as_raw() & 1 != 0).map(|heap| heap.size).max()
    }
}

#[cfg(target_vendor = "apple")]
fn memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// The devices of the machine, the best first, programs that only play a GPU last. The position is the device's number.
pub fn devices() -> Vec<Info> {
    FOUND.iter().map(|found| found.info.clone()).collect()
}

pub(crate) fn find(index: usize) -> Result<&'static Found, Error> {
    FOUND.get(index).ok_or_else(|| Error::Absent {
        index,
        there: FOUND.iter().map(|found| found.info.name.clone()).collect(),
    })
}
