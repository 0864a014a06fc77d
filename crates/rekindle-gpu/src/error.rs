//! What can go wrong on a device that no program is to blame for.

use std::fmt;

/// An error of a device, in one line: which device, what, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no device of this number.
    Absent {
        /// The number asked for.
        index: usize,
        /// The names of those that are there.
        there: Vec<String>,
    },
    /// The device does not give so much memory.
    OutOfMemory {
        /// The device's number.
        index: usize,
        /// What was asked for.
        bytes: u64,
        /// What tensors hold already.
        held: u64,
    },
    /// A single block of memory is larger than the device can bind.
    TooLarge {
        /// The device's number.
        index: usize,
        /// What was asked for.
        bytes: u64,
        /// The most that it can bind.
        most: u64,
    },
    /// The device is gone: a driver was reset, a card removed.
    Lost {
        /// The device's number.
        index: usize,
        /// What the driver says.
        why: String,
    },
    /// The driver refused something; a fault of ours or of the driver.
    Driver {
        /// The device's number.
        index: usize,
        /// What the driver says.
        why: String,
    },
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Absent { index, there } if there.is_empty() => {
                write!(f, "gpu:{index}: no GPU was found; install its Vulkan driver, or use the device cpu")
            }
            Error::Absent { index, there } => {
                write!(f, "gpu:{index}: there is no such device; there are ")?;
                let names: Vec<String> =
                    there.iter().enumerate().map(|(i, n)| format!("gpu:{i} ({n})")).collect();
                f.write_str(&names.join(", "))
            }
            Error::OutOfMemory { index, bytes, held } => write!(
                f,
                "gpu:{index}: out of memory: {} more were asked for and {} are held; use smaller batches",
                size(*bytes),
                size(*held)
            ),
            Error::TooLarge { index, bytes, most } => write!(
                f,
                "gpu:{index}: a tensor of {} does not fit into one buffer of the device, which holds {}; use smaller batches or layers",
                size(*bytes),
                size(*most)
            ),
            Error::Lost { index, why } => {
                write!(
                    f,
                    "gpu:{index}: the device was lost ({}); start again, or use the device cpu",
                    one_line(why)
                )
            }
            Error::Driver { index, why } => write!(f, "gpu:{index}: the driver refused: {}", one_line(why)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let absent =
            |there: &[&str]| Error::Absent { index: 1, there: there.iter().map(|s| s.to_string()).collect() };
        assert_eq!(
            absent(&[]).to_string(),
            "gpu:1: no GPU was found; install its Vulkan driver, or use the device cpu"
        );
        assert_eq!(
            absent(&["A", "B"]).to_string(),
            "gpu:1: there is no such device; there are gpu:0 (A), gpu:1 (B)"
        );
        assert_eq!(
            Error::OutOfMemory { index: 0, bytes: 3_200_000_000, held: 500 }.to_string(),
            "gpu:0: out of memory: 3.2 GB more were asked for and 500 bytes are held; use smaller batches"
        );
        assert_eq!(
            Error::Driver { index: 0, why: "a\n  b".into() }.to_string(),
            "gpu:0: the driver refused: a b"
        );
    }
}
