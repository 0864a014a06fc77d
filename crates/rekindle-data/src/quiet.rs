//! Panics of other crates that meet a file which they cannot read.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether panics of this thread are expected and not printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`; `None` if it panics, which prints nothing. What panicked must not be used again.
pub(crate) fn quiet<R>(f: impl FnOnce() -> R) -> Option<R> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    QUIET.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_silent_as_long_as_it_may_panic() {
        assert_eq!(quiet(|| QUIET.get()), Some(true));
        assert_eq!(
            quiet(|| if QUIET.get() {
                panic!("from another crate")
            }),
            None
        );
        assert!(!QUIET.get());
        assert!(quiet(|| quiet(|| ()).is_some() && QUIET.get()).unwrap(), "also behind an inner one");
    }
}
