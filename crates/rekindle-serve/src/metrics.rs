//! Counts and times, in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper ends of the buckets of times, in seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// The upper ends of the buckets of batches, in samples.
const SAMPLES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 4096.0];

/// What was counted since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    /// By path and status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    request_seconds: Histogram<12>,
    batch_seconds: Histogram<12>,
    batch_samples: Histogram<8>,
    panics: AtomicU64,
    connections_refused: AtomicU64,
}

/// How many values were at most so large.
struct Histogram<const N: usize> {
    /// In each bucket, and above all of them in the last.
    buckets: [AtomicU64; N],
    above: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Histogram {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            above: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&self, ends: &[f64; N], value: f64) {
        let bucket = ends.iter().position(|&end| value <= end).map_or(&self.above, |i| &self.buckets[i]);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    fn write(&self, text: &mut String, name: &str, what: &str, ends: &[f64; N]) {
        _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} histogram");
        let mut count = 0;
        for (end, bucket) in ends.iter().zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            _ = writeln!(text, "{name}_bucket{{le=\"{end}\"}} {count}");
        }
        count += self.above.load(Ordering::Relaxed);
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e6;
        _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
    }
}

impl Metrics {
    pub fn request(&self, path: &'static str, status: u16, time: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((path, status)).or_default() += 1;
        drop(requests);
        self.request_seconds.add(&SECONDS, time.as_secs_f64());
    }

    pub fn batch(&self, samples: usize, time: Duration) {
        self.batch_samples.add(&SAMPLES, samples as f64);
        self.batch_seconds.add(&SECONDS, time.as_secs_f64());
    }

    pub fn panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, and how it is now.
    pub fn text(&self, ready: bool, waiting: usize, connections: usize) -> String {
        let mut text = String::new();
        let name = "rekindle_requests_total";
        _ = writeln!(text, "# HELP {name} Requests that were answered.\n# TYPE {name} counter");
        for ((path, status), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            _ = writeln!(text, "{name}{{path=\"{path}\",status=\"{status}\"}} {count}");
        }
        let times = "Seconds from the head of a request to its answer.";
        self.request_seconds.write(&mut text, "rekindle_request_seconds", times, &SECONDS);
        let batches = "Samples that went through the net together.";
        self.batch_samples.write(&mut text, "rekindle_batch_samples", batches, &SAMPLES);
        let net = "Seconds that a batch took in the net.";
        self.batch_seconds.write(&mut text, "rekindle_batch_seconds", net, &SECONDS);
        let refused = "Connections beyond the limit.";
        let counters = [
            ("rekindle_panics_total", "Requests that met a panic.", &self.panics),
            ("rekindle_connections_refused_total", refused, &self.connections_refused),
        ];
        for (name, what, value) in counters {
            let value = value.load(Ordering::Relaxed);
            _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} counter\n{name} {value}");
        }
        let gauges = [
            ("rekindle_ready", "1 while requests are taken.", usize::from(ready)),
            ("rekindle_requests_waiting", "Requests that wait or are being computed.", waiting),
            ("rekindle_connections", "Open connections.", connections),
        ];
        for (name, what, value) in gauges {
            _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} gauge\n{name} {value}");
        }
        text
    }
}
