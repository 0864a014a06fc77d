//! `rekindle devices` and `--device`. What needs a GPU says so where there is none.

use crate::resume::{End, folder};
use crate::{Folder, fails_with, rekindle, succeeds};
use rekindle::Device;
use std::io::Write;

fn there_is_a_gpu() -> bool {
    let there = Device::gpu(0).check();
    if let Err(e) = &there {
        _ = writeln!(std::io::stderr(), "NO GPU: nothing was tested: {e}");
    }
    there.is_ok()
}

#[test]
fn every_device_is_listed_and_auto_is_one_of_them() {
    let text = succeeds(&rekindle(&["devices"]));
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("device  name"), "{text}");
    assert!(lines.next().unwrap().starts_with("cpu     "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&succeeds(&rekindle(&["devices", "--json"]))).unwrap();
    let devices = json["devices"].as_array().unwrap();
    assert!(devices.iter().any(|device| device["device"] == json["auto"]), "{json}");
    assert_eq!(devices.len(), 1 + Device::gpus().len());
    if there_is_a_gpu() {
        assert!(text.contains("gpu:0") && devices[1]["max_tensor_bytes"].as_u64().unwrap() > 0, "{text}");
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error_before_anything_is_kept() {
    let folder = Folder::new();
    fails_with(&folder.rekindle(&["train", "--device", "gpu:99", "--output", "run"]), 1, "gpu:99: ");
    assert!(!folder.0.join("run").exists());
    let e = "device \"tpu\" is not one; give cpu, gpu, gpu:1 (..) or auto";
    fails_with(&folder.rekindle(&["train", "--device", "tpu"]), 2, e);
}

#[test]
fn a_run_on_a_gpu_is_judged_asked_and_gone_on_with_anywhere() {
    if !there_is_a_gpu() {
        return;
    }
    let folder = folder();
    let train = ["train", "r.toml", "--quiet", "--device", "gpu", "--output"];
    succeeds(&folder.rekindle(&[&train[..], &["run"]].concat()));
    succeeds(&folder.rekindle(&[&train[..], &["again"]].concat()));
    let [run, again] = ["run", "again"].map(|name| End::of(&folder.0.join(name)));
    assert!(run == again, "a rerun on the same device differs");
    let judged = |device: &str| {
        let text = succeeds(&folder.rekindle(&["evaluate", "run", "--json", "--device", device]));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["test"]["loss"].as_f64().unwrap()
    };
    assert!((judged("gpu") - judged("cpu")).abs() < 1e-5);
    std::fs::write(folder.0.join("new.csv"), "x1,x2\n0.5,0.25\n-1,0.5\n").unwrap();
    let asked = |device: &str| {
        let text = succeeds(&folder.rekindle(&["predict", "run", "new.csv", "--device", device]));
        text.lines().map(|line| line.split(',').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(asked("gpu"), asked("cpu"));
    succeeds(&folder.rekindle(&["train", "--resume", "run", "--epochs", "8", "--quiet"]));
}

#[test]
fn a_net_that_has_no_room_is_an_error_and_not_a_panic() {
    if !there_is_a_gpu() {
        return;
    }
    // The smallest square of weights that the device cannot bind; recipes have a limit of their own.
    let side = (Device::gpus()[0].max_tensor as f64 / 4.0).sqrt() as usize + 1;
    if side > 12_000 {
        _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: a net too large for this device takes too much memory here"
        );
        return;
    }
    let folder = folder();
    let net = format!("net=[\"Linear(2, {side})\", \"Linear({side}, {side})\", \"Linear({side}, 1)\"]");
    let train = ["train", "r.toml", "--device", "gpu", "--output", "run", "--set", &net];
    fails_with(&folder.rekindle(&train), 1, "does not fit into one buffer of the device");
    assert!(!folder.0.join("run").exists());
}
