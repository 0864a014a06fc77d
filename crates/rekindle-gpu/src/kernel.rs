//! Kernels: WGSL texts with their bindings, and the pipelines that they are compiled to.

use crate::device::Inner;
use crate::error::Error;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A compute kernel before it is compiled.
///
/// `io` names the buffers and their element types, those that are only read before the arrow: `"x: f32, t: i32 -> y: f32"`. `params` names
/// the numbers that a launch passes, u32 unless a type is given: `"n, rate: f32"`; the text reads them as `p.n`. A `body` has an entry
/// point `main`.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Under which it is known; no other kernel may have it.
    pub name: String,
    /// Buffers.
    pub io: Cow<'static, str>,
    /// Numbers.
    pub params: Cow<'static, str>,
    /// The WGSL text without the declarations of buffers and numbers.
    pub body: Cow<'static, str>,
}

/// Numbers that a launch can pass, in words of 32 bits.
pub(crate) const PARAMS: usize = 64;

/// A compiled kernel.
pub struct Pipeline {
    pub(crate) id: usize,
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
    /// How many of its buffers are only read.
    pub(crate) reads: usize,
    pub(crate) name: String,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

fn pairs(list: &str) -> Vec<(&str, &str)> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| item.split_once(':').map_or((item, "u32"), |(name, t)| (name.trim(), t.trim())))
        .collect()
}

impl Kernel {
    /// The whole WGSL text.
    fn source(&self) -> (String, usize, usize) {
        let (reads, writes) = self.io.split_once("->").unwrap_or(("", &self.io));
        let (reads, writes) = (pairs(reads), pairs(writes));
        let mut text = String::new();
        let access = reads.iter().map(|b| (b, "read")).chain(writes.iter().map(|b| (b, "read_write")));
        for (i, ((name, t), access)) in access.enumerate() {
            _ = writeln!(text, "@group(0) @binding({}) var<storage, {access}> {name}: array<{t}>;", i + 1);
        }
        let params = pairs(&self.params);
        assert!(params.len() <= PARAMS, "{}: more than {PARAMS} numbers", self.name);
        let fields: String = params.iter().map(|(name, t)| format!("{name}: {t}, ")).collect();
        let fields = if fields.is_empty() { "unused: u32".to_string() } else { fields };
        _ = writeln!(text, "struct Params {{ {fields} }}\n@group(0) @binding(0) var<uniform> p: Params;");
        text.push_str(&self.body);
        (text, reads.len(), writes.len())
    }

    pub(crate) fn compile(&self, inner: &Inner) -> Result<Arc<Pipeline>, Error> {
        static IDS: AtomicUsize = AtomicUsize::new(0);
        let (text, reads, writes) = self.source();
        let device = &inner.device;
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(&self.name),
            source: wgpu::ShaderSource::Wgsl(text.as_str().into()),
        };
        let checks =
            wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
        // SAFETY: bounds stay checked; every loop of our kernels is bounded by a count.
        let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&self.name),
            entries: &(0..=reads + writes).map(|i| entry(i, reads)).collect::<Vec<_>>(),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&self.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&self.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels fill what they read of it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        if let Some(e) = pollster::block_on(scope.pop()) {
            return Err(Error::Driver { index: inner.index, why: format!("kernel {}: {e}", self.name) });
        }
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Pipeline { id, raw, layout, reads, name: self.name.clone() }))
    }
}

/// Binding 0 has the numbers; then come the buffers that are read, and those that are written.
fn entry(i: usize, reads: usize) -> wgpu::BindGroupLayoutEntry {
    let ty = match i {
        0 => wgpu::BufferBindingType::Uniform,
        _ => wgpu::BufferBindingType::Storage { read_only: i <= reads },
    };
    wgpu::BindGroupLayoutEntry {
        binding: i as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: i == 0, min_binding_size: None },
        count: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_come_from_the_lists() {
        let kernel = Kernel {
            name: "k".into(),
            io: "x: f32, t: i32 -> y: f32".into(),
            params: "n, rate: f32".into(),
            body: "fn main() {}".into(),
        };
        let (text, reads, writes) = kernel.source();
        assert_eq!((reads, writes), (2, 1));
        assert_eq!(
            text,
            "@group(0) @binding(1) var<storage, read> x: array<f32>;\n\
             @group(0) @binding(2) var<storage, read> t: array<i32>;\n\
             @group(0) @binding(3) var<storage, read_write> y: array<f32>;\n\
             struct Params { n: u32, rate: f32,  }\n\
             @group(0) @binding(0) var<uniform> p: Params;\n\
             fn main() {}"
        );
    }
}
