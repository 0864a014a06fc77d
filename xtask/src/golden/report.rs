//! What the run says: failures as they come, then the skipped cases by reason, then the counts.

use super::fault::Fault;
use crate::say;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Most case names listed for one reason of skipping.
const SHOWN: usize = 4;

/// Counts and the skipped cases.
#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: usize,
    skipped: BTreeMap<String, Vec<String>>,
    /// A file or folder could not be read; the run fails even if no case did.
    broken: bool,
}

impl Report {
    /// Records the outcome of one case.
    pub fn case(&mut self, name: String, outcome: Result<(), Fault>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(Fault::Unsupported(why)) => self.skipped.entry(why).or_default().push(name),
            Err(Fault::Failed(message)) => {
                self.failed += 1;
                say!("FAILED  {name}\n        {}", message.replace('\n', "\n        "));
            }
        }
    }

    /// Records a file or folder that cannot be used.
    pub fn error(&mut self, message: String) {
        self.broken = true;
        say!("ERROR   {message}");
    }

    /// How many cases passed, failed and were skipped.
    pub fn counts(&self) -> [usize; 3] {
        [self.passed, self.failed, self.skipped.values().map(Vec::len).sum()]
    }

    /// Prints the summary; success means that nothing failed.
    pub fn finish(self) -> ExitCode {
        for (why, names) in &self.skipped {
            let more = if names.len() > SHOWN { ", .." } else { "" };
            let shown = names[..names.len().min(SHOWN)].join(", ");
            say!("skipped {:4}  no {why}  ({shown}{more})", names.len());
        }
        let [passed, failed, skipped] = self.counts();
        say!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 || self.broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
