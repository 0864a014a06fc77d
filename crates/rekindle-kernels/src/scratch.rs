//! Memory that a thread uses again, so that a kernel that needs some for a while allocates nothing.
use crate::real::Real;
use std::cell::RefCell;

#[derive(Clone, Copy)]
#[repr(align(64))]
#[allow(dead_code)] // Only its size and alignment count.
struct Line([u8; 64]);

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Types of which all bits are valid.
///
/// # Safety
/// They must be, and aligned to no more than a cache line.
pub unsafe trait AnyBits: Copy {}
// SAFETY: numbers, of which all bits are valid.
unsafe impl<T: Real> AnyBits for T {}
// SAFETY: as above.
unsafe impl AnyBits for u32 {}

/// Calls `f` with `len` elements of this thread's scratch memory, which start at a cache line and hold anything. Calls
/// may be nested; the memory is kept for the next call at the same depth.
///
/// # Panics
/// If there are more bytes than memory can address.
///
/// ```
/// use rekindle_kernels::scratch::with_scratch;
/// let sum = with_scratch(3, |x: &mut [f32]| {
///     x.fill(2.0);
///     x.iter().sum::<f32>()
/// });
/// assert_eq!(sum, 6.0);
/// ```
#[inline]
pub fn with_scratch<T: AnyBits, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    let bytes = len.checked_mul(size_of::<T>()).expect("scratch: more bytes than memory can address");
    let needed = bytes.div_ceil(size_of::<Line>());
    if lines.len() < needed {
        lines.resize(needed, Line([0; 64]));
    }
    // SAFETY: the lines are initialised and cover `len` elements, for which all bits are valid.
    let result = f(unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<T>(), len) });
    SCRATCH.with_borrow_mut(|stack| stack.push(lines));
    result
}

thread_local! {
    static OFFSETS: RefCell<Vec<Vec<usize>>> = const { RefCell::new(Vec::new()) };
}

/// A list of offsets, whose memory this thread uses again.
#[derive(Default)]
pub(crate) struct Offsets(Vec<usize>);

impl FromIterator<usize> for Offsets {
    fn from_iter<I: IntoIterator<Item = usize>>(offsets: I) -> Self {
        let mut list = OFFSETS.with_borrow_mut(Vec::pop).unwrap_or_default();
        list.clear();
        list.extend(offsets);
        Offsets(list)
    }
}

impl std::ops::Deref for Offsets {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl Drop for Offsets {
    fn drop(&mut self) {
        let list = std::mem::take(&mut self.0);
        // Where the thread is ending, there is nobody to use it.
        let _ = OFFSETS.try_with(|lists| lists.borrow_mut().push(list));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "scratch: more bytes than memory can address")]
    fn sizes_that_wrap_around_are_refused() {
        with_scratch(1 << 62, |x: &mut [f32]| x.len());
    }

    #[test]
    fn nested_memory_is_apart() {
        with_scratch(10, |a: &mut [f32]| {
            a.fill(1.0);
            with_scratch(10, |b: &mut [u32]| b.fill(7));
            assert_eq!(a, [1.0; 10]);
        });
        assert_eq!([3, 1, 2].into_iter().collect::<Offsets>()[..], [3, 1, 2]);
    }
}
