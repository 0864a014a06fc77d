//! Training on a little of the data, to see whether everything works before it takes long.

use super::Parts;
use crate::part::Part;

/// How much of the data is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trial {
    /// All of it.
    #[default]
    No,
    /// So many batches of each part, once.
    FastDevRun(usize),
    /// So many batches over and over, which also validate: a net that can learn learns them by heart.
    Overfit(usize),
}

/// The parts of a trial.
pub(crate) struct Little {
    train: Part,
    validation: Option<Part>,
    test: Option<Part>,
}

impl Trial {
    /// What a trial leaves of the data; none if this is no trial.
    pub(crate) fn of(self, parts: Parts, batch_size: Option<usize>) -> Option<Little> {
        /// A full batch has no size; a few samples will do.
        const USUAL: usize = 32;
        let rows = |batches: usize| batches.saturating_mul(batch_size.unwrap_or(USUAL));
        let first = |part: Option<&Part>, n: usize| part.map(|part| part.first(n));
        match self {
            Trial::No => None,
            Trial::FastDevRun(batches) => Some(Little {
                train: parts.train.first(rows(batches)),
                validation: first(parts.validation, rows(batches)),
                test: first(parts.test, rows(batches)),
            }),
            Trial::Overfit(batches) => {
                let train = parts.train.first(rows(batches));
                let same = |part: Option<&Part>| part.map(|_| train.clone());
                Some(Little { validation: same(parts.validation), test: same(parts.test), train })
            }
        }
    }
}

impl Little {
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts { train: &self.train, validation: self.validation.as_ref(), test: self.test.as_ref() }
    }

    pub(crate) fn into_parts(self) -> (Part, Option<Part>, Option<Part>) {
        (self.train, self.validation, self.test)
    }
}
