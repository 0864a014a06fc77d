//! Which memory a recorded step takes from outside: parameters, constants. A replay must find them where they were.

use super::Memory;
use crate::storage::Storage;
use std::cell::RefCell;
use std::sync::{Arc, Weak};

/// A storage and the number of the memory that it had.
pub(crate) type Place = (Arc<Storage>, u64);

/// Weak, because what a step drops is not worth being written.
type Seen = Vec<(Weak<Storage>, u64)>;

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Runs `f` and notes every storage that a kernel of this thread touches meanwhile.
pub(crate) fn note<R>(f: impl FnOnce() -> R) -> (R, Vec<Place>) {
    /// Ends the notes also when `f` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            SEEN.take();
        }
    }
    SEEN.set(Some(Vec::new()));
    let end = End;
    let result = f();
    let seen = SEEN.take().unwrap_or_default();
    drop(end);
    (result, seen.into_iter().filter_map(|(storage, id)| Some((storage.upgrade()?, id))).collect())
}

pub(super) fn seen(storage: &Arc<Storage>, memory: &Memory) {
    SEEN.with_borrow_mut(|seen| {
        if let Some(seen) = seen
            && !seen.iter().any(|(_, id)| *id == memory.id())
        {
            seen.push((Arc::downgrade(storage), memory.id()));
        }
    });
}
