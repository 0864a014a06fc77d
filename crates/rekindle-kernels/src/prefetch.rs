//! Asking for memory before it is read, where the target has an instruction for it.

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Asks for the cache line of `p`, which may be any address.
#[inline(always)]
pub(crate) fn line<T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is allowed, and every x86-64 processor has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(p.cast())
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Asks for all of `x`, which is on its way to the L2 cache then while other work goes on.
///
/// ```
/// rekindle_kernels::prefetch::slice(&[1.0; 100]);
/// ```
pub fn slice<T>(x: &[T]) {
    let bytes = x.as_ptr().cast::<u8>();
    (0..size_of_val(x)).step_by(LINE).for_each(|at| line(bytes.wrapping_add(at)));
    // Memory that does not begin at a line ends in one more.
    line(x.as_ptr_range().end.cast::<u8>().wrapping_sub(1));
}
