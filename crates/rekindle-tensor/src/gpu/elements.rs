//! Elements as words of a device, and back.

use super::{Gpu, Memory, must};
use crate::dtype::{DType, Element, Scalar};
use crate::op::fail;
use crate::storage::Buffer;
use std::ops::Range;

/// Elements on a device.
///
/// # Panics
/// If an integer does not fit into 32 bits, the elements are f64, or the device has no memory left.
#[track_caller]
pub(crate) fn upload<T: Element>(gpu: &Gpu, elements: &[T]) -> Memory {
    let word = |v: &T| match v.to_scalar() {
        Scalar::Float(v) => (v as f32).to_bits(),
        Scalar::Int(v) => v as i32 as u32,
        Scalar::Bool(v) => u32::from(v),
    };
    match T::DTYPE {
        DType::F64 => fail("to: a GPU has no f64; convert with .float() first".into()),
        DType::I64 => {
            let fits = |v: &&T| i32::try_from(v.to_scalar().as_i64()).is_err();
            if let Some(wrong) = elements.iter().find(fits) {
                fail(format!(
                    "to: a GPU holds integers in 32 bits and {wrong:?} does not fit; keep this tensor on the cpu"
                ));
            }
        }
        _ => {}
    }
    must(gpu.upload(&elements.iter().map(word).collect::<Vec<u32>>()))
}

/// Elements of a type from the words of a device.
#[track_caller]
pub(crate) fn download(memory: &Memory, range: Range<usize>, dtype: DType) -> Buffer {
    let words = must(memory.gpu().download(memory, range)).into_iter();
    match dtype {
        DType::I64 => Buffer::I64(words.map(|w| i64::from(w as i32)).collect()),
        DType::Bool => Buffer::Bool(words.map(|w| w != 0).collect()),
        DType::F32 | DType::F64 => Buffer::F32(words.map(f32::from_bits).collect()),
    }
}

/// Another memory of the device with the same words.
#[track_caller]
pub(crate) fn copied(memory: &Memory) -> Memory {
    let gpu = memory.gpu();
    let copy = must(gpu.alloc(memory.len()));
    gpu.copy(memory, 0, &copy, 0, memory.len());
    copy
}
