//! A device does what it is told. Without one these tests say so and pass: the tests of CI have Mesa's software Vulkan.

use rekindle_gpu::{Error, Gpu, Kernel, Memory, Operand, Statement, devices};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn gpu() -> Option<Gpu> {
    let gpu = (!devices().is_empty()).then(|| Gpu::open(0).expect("it is listed"));
    if gpu.is_none() {
        _ = writeln!(
            std::io::stderr(),
            "NO GPU: nothing was tested; install a Vulkan driver (Debian: mesa-vulkan-drivers, libvulkan1)"
        );
    }
    gpu
}

/// `y = x + by`, into another memory.
fn add(gpu: &Gpu) -> Arc<rekindle_gpu::Pipeline> {
    let kernel = || Kernel {
        name: "add".into(),
        io: "x: u32 -> y: u32".into(),
        params: "n, by".into(),
        body: "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if (id.x < p.n) { y[id.x] = x[id.x] + p.by; }
        }"
        .into(),
    };
    gpu.pipeline("add", kernel).unwrap()
}

#[test]
fn what_is_uploaded_comes_back_and_kernels_run_in_order() {
    let Some(gpu) = gpu() else { return };
    let words: Vec<u32> = (0..1000).collect();
    let mut x = gpu.upload(&words).unwrap();
    let kernel = add(&gpu);
    for by in 1..=300 {
        let y = gpu.alloc(1000).unwrap();
        gpu.launch(&kernel, &[&x, &y], &[1000, by], [16, 1, 1]);
        x = y;
    }
    let sum = 300 * 301 / 2;
    assert_eq!(gpu.download(&x, 0..1000).unwrap(), words.iter().map(|w| w + sum).collect::<Vec<_>>());
    assert_eq!(gpu.download(&x, 7..9).unwrap(), [7 + sum, 8 + sum]);
    assert!(gpu.download(&x, 3..3).unwrap().is_empty());
}

#[test]
fn a_write_does_not_overtake_what_was_launched_before() {
    let Some(gpu) = gpu() else { return };
    let (x, y) = (gpu.upload(&[1; 64]).unwrap(), gpu.alloc(64).unwrap());
    gpu.launch(&add(&gpu), &[&x, &y], &[64, 10], [1, 1, 1]);
    gpu.write(&x, &[5; 64]);
    gpu.copy(&x, 0, &y, 32, 16);
    let got = gpu.download(&y, 0..64).unwrap();
    assert_eq!((got[0], got[32], got[47], got[48]), (11, 5, 5, 11));
}

#[test]
fn a_recording_is_replayed_with_new_numbers_and_the_same_memory() {
    let Some(gpu) = gpu() else { return };
    let x = gpu.upload(&[1; 64]).unwrap();
    let kernel = add(&gpu);
    let calls = Arc::new(AtomicU32::new(0));
    let step = || {
        let y = gpu.alloc(64).unwrap();
        let counted = calls.clone();
        let live: rekindle_gpu::Live =
            Arc::new(move |p| p[1] = 100 * (1 + counted.fetch_add(1, Ordering::Relaxed)));
        gpu.launch_live(&kernel, &[&x, &y], &[64, 7], [1, 1, 1], Some(live));
        gpu.copy(&y, 0, &x, 0, 64);
    };
    let (_, first) = gpu.record(step);
    let (_, second) = gpu.record(step);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.trace(&[]), second.trace(&[]));
    assert_eq!(gpu.download(&x, 0..1).unwrap(), [15]);
    let replay = second.prepare(&gpu);
    replay.run();
    replay.run();
    assert_eq!(gpu.download(&x, 0..1).unwrap(), [15 + 100 + 200]);
}

#[test]
fn reading_or_writing_in_between_refuses_a_recording() {
    let Some(gpu) = gpu() else { return };
    let x = gpu.upload(&[1; 4]).unwrap();
    let (_, read) = gpu.record(|| gpu.download(&x, 0..4).unwrap());
    let (_, written) = gpu.record(|| gpu.upload(&[0]).unwrap());
    assert!(read.unwrap().refusal().unwrap().contains("read"));
    assert!(written.unwrap().refusal().unwrap().contains("copied"));
}

#[test]
fn too_much_memory_is_an_error_and_a_wrong_kernel_names_itself() {
    let Some(gpu) = gpu() else { return };
    let e = gpu.alloc(1 << 42).unwrap_err();
    assert!(matches!(e, Error::TooLarge { .. }), "{e}");
    let wrong =
        Kernel { name: "wrong".into(), io: "-> y: f32".into(), params: "".into(), body: "fn main( {".into() };
    let e = gpu.pipeline("wrong", || wrong).unwrap_err().to_string();
    assert!(e.starts_with("gpu:0: the driver refused: kernel wrong:"), "{e}");
    // The device still works.
    let x = gpu.upload(&[3]).unwrap();
    assert_eq!(gpu.download(&x, 0..1).unwrap(), [3]);
    assert!(matches!(Gpu::open(1000), Err(Error::Absent { index: 1000, .. })));
}

#[test]
fn dropped_memory_is_used_again() {
    let Some(gpu) = gpu() else { return };
    let first = gpu.alloc(77_777).unwrap();
    let id = first.id();
    drop(first);
    assert_eq!(gpu.alloc(77_777).unwrap().id(), id);
}

/// `to = from + by`, element by element.
fn plus(gpu: &Gpu, from: &Memory, by: f32, to: &Memory) {
    let operand = Operand::Elements { memory: from.clone(), at: 0, one: false, of: "f32" };
    gpu.element_wise(Statement {
        n: 64,
        operands: vec![operand],
        numbers: &[by],
        expression: "a + p.n0",
        output: to.clone(),
        at: 0,
        result: "f32",
        prelude: "",
    });
}

#[test]
fn chains_of_threads_are_not_mixed_and_each_sees_what_the_other_did() {
    let Some(gpu) = gpu() else { return };
    let words = |v: f32| vec![v.to_bits(); 64];
    let (x, y, z) = (gpu.upload(&words(1.0)).unwrap(), gpu.alloc(64).unwrap(), gpu.alloc(64).unwrap());
    let (_, recording) = gpu.record(|| {
        plus(&gpu, &x, 1.0, &y);
        // Another thread has work of its own, and reads what waits here.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let own = gpu.alloc(64).unwrap();
                plus(&gpu, &x, 5.0, &own);
                plus(&gpu, &y, 10.0, &z);
                assert_eq!(gpu.download(&own, 0..1).unwrap(), [6f32.to_bits()]);
            });
        });
        let end = gpu.alloc(64).unwrap();
        plus(&gpu, &y, 1.0, &end);
        end
    });
    assert_eq!(gpu.download(&z, 3..4).unwrap(), [12f32.to_bits()]);
    let recording = recording.unwrap();
    assert_eq!((recording.len(), recording.refusal()), (2, None), "only this thread's");
}

#[test]
fn what_nobody_reads_is_not_written() {
    let Some(gpu) = gpu() else { return };
    let x = gpu.upload(&[1f32.to_bits(); 64]).unwrap();
    let (end, recording) = gpu.record(|| {
        let (between, end) = (gpu.alloc(64).unwrap(), gpu.alloc(64).unwrap());
        plus(&gpu, &x, 1.0, &between);
        plus(&gpu, &between, 2.0, &end);
        plus(&gpu, &end, 4.0, &gpu.alloc(64).unwrap());
        end
    });
    assert_eq!(recording.unwrap().len(), 1);
    assert_eq!(gpu.download(&end, 63..64).unwrap(), [4f32.to_bits()]);
    let (_, nothing) = gpu.record(|| plus(&gpu, &x, 1.0, &gpu.alloc(64).unwrap()));
    assert!(nothing.unwrap().is_empty());
}
