//! Ctrl-C and SIGTERM: the first one asks training to stop after the step in hand, the second one ends the program at once.

use rekindle::train::{Error, Flow, Observer, Step};
#[cfg(unix)]
use signal_hook::consts::SIGXFSZ;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of each signal, as shells have it: 128 and its number.
const SIGNALS: [(i32, u8); 2] = [(SIGINT, 130), (SIGTERM, 143)];

/// Which signals have come.
#[derive(Clone)]
pub struct Signals([Arc<AtomicBool>; 2]);

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Signals> {
        let flags = Signals(Default::default());
        for ((signal, code), came) in SIGNALS.iter().zip(&flags.0) {
            // The order matters: when a signal comes, the first of these sees whether one came before.
            flag::register_conditional_shutdown(*signal, i32::from(*code), came.clone())?;
            flag::register(*signal, came.clone())?;
        }
        Ok(flags)
    }

    /// The exit code of the signal that came, if one did.
    pub fn exit_code(&self) -> Option<u8> {
        let came = |(_, flag): &(_, &Arc<AtomicBool>)| flag.load(Ordering::Relaxed);
        SIGNALS.iter().zip(&self.0).find(came).map(|((_, code), _)| *code)
    }
}

/// A file that grows over the limit of the process (`ulimit -f`) is an error of its write, which is reported, not the end of
/// the process.
pub fn survive_limits() {
    #[cfg(unix)]
    let _ = flag::register(SIGXFSZ, Arc::default());
}

impl Observer for Signals {
    fn step(&mut self, _: &Step) -> Result<Flow, Error> {
        Ok(if self.exit_code().is_some() { Flow::Stop } else { Flow::Continue })
    }
}
