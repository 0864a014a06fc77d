//! The default generator: one for the program, or one for a closure on this thread.

use super::{Generator, Seed};
use crate::op::mistake;
use std::cell::RefCell;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Seeded unforeseeably until the program seeds it, as in PyTorch.
static DEFAULT: LazyLock<Mutex<Generator>> = LazyLock::new(|| {
    let mut generator = Generator::new();
    generator.seed();
    Mutex::new(generator)
});

thread_local! {
    static LOCAL: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

/// Seeds the default generator: `torch.manual_seed(seed)`.
///
/// ```
/// use rekindle_tensor::random;
///
/// random::manual_seed(0);
/// let mut x = [0f32];
/// random::with_default(|g| g.uniform(&mut x, 0.0, 1.0));
/// assert_eq!(x, [0.4962566]); // torch.manual_seed(0); torch.rand(1)
/// ```
pub fn manual_seed(seed: impl Seed) {
    with_default(|generator| {
        generator.manual_seed(seed);
    });
}

/// The seed that the default generator started from: `torch.initial_seed()`.
///
/// ```
/// # use rekindle_tensor::random;
/// random::manual_seed(7);
/// assert_eq!(random::initial_seed(), 7);
/// ```
pub fn initial_seed() -> u64 {
    with_default(|generator| generator.initial_seed())
}

/// Calls `f` with the default generator. Draws inside `f` must use its argument: the default generator is lent out
/// meanwhile.
///
/// # Panics
/// If `f` draws from the default generator by another way than its argument.
///
/// ```
/// # use rekindle_tensor::random;
/// random::manual_seed(0);
/// let word = random::with_default(|g| g.next_u32());
/// assert_eq!(word, 2357136044);
/// ```
#[track_caller]
pub fn with_default<R>(f: impl FnOnce(&mut Generator) -> R) -> R {
    let lent = LOCAL.with(|local| local.try_borrow_mut().is_err());
    if lent {
        mistake!("with_default: the default generator is already lent to the caller; draw from the argument");
    }
    LOCAL.with_borrow_mut(|local| match local {
        Some(generator) => f(generator),
        // A panic inside `f` leaves a usable generator: every draw completes or does not begin.
        None => f(&mut DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)),
    })
}

/// Runs `f` with `generator` as this thread's default generator, then hands it back advanced.
///
/// Other threads, and the program's default generator, are unaffected: tests that run side by side can each
/// have a stream of their own.
///
/// ```
/// use rekindle_tensor::random::{self, Generator};
///
/// let mut g = Generator::seeded(0);
/// let order = random::with_generator(&mut g, || random::with_default(|g| g.randperm(4)));
/// assert_eq!(order, Generator::seeded(0).randperm(4));
/// ```
pub fn with_generator<R>(generator: &mut Generator, f: impl FnOnce() -> R) -> R {
    /// Puts the generators back where they came from, also when `f` panics.
    struct Restore<'a>(&'a mut Generator, Option<Generator>);
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            if let Some(advanced) = LOCAL.replace(self.1.take()) {
                *self.0 = advanced;
            }
        }
    }
    let outer = LOCAL.replace(Some(generator.clone()));
    let _restore = Restore(generator, outer);
    f()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw() -> u32 {
        with_default(Generator::next_u32)
    }

    #[test]
    fn scoped_generators_nest_and_come_back_advanced() {
        let (mut outer, mut inner) = (Generator::seeded(1), Generator::seeded(2));
        let drawn = with_generator(&mut outer, || {
            let first = draw();
            let between = with_generator(&mut inner, draw);
            [first, between, draw()]
        });
        let (mut one, mut two) = (Generator::seeded(1), Generator::seeded(2));
        assert_eq!(drawn, [one.next_u32(), two.next_u32(), one.next_u32()]);
        assert!(outer == one && inner == two);
    }

    #[test]
    fn scoped_generator_survives_a_panic() {
        let mut g = Generator::seeded(1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            with_generator(&mut g, || {
                draw();
                panic!("inside");
            })
        }));
        assert!(caught.is_err());
        let mut expected = Generator::seeded(1);
        expected.next_u32();
        assert!(g == expected);
        assert!(LOCAL.with_borrow(Option::is_none));
    }

    #[test]
    fn a_nested_draw_from_the_default_generator_is_refused() {
        let message = crate::check(|| with_default(|_| draw())).unwrap_err();
        assert!(message.starts_with("with_default: the default generator is already lent"), "{message}");
        draw();
    }

    #[test]
    fn manual_seed_reaches_the_scoped_generator() {
        let mut g = Generator::seeded(1);
        with_generator(&mut g, || manual_seed(7));
        assert_eq!(g.initial_seed(), 7);
    }
}
