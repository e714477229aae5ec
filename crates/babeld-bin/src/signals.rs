//! Signals, as babeld has always understood them.

use std::io;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// TERM, INT and HUP: leave in good order.
    Exit,
    /// USR1: write the tables to the log.
    Dump,
    /// USR2: check the kernel's routes, then open the log file anew.
    Check,
}

/// The signals we listen to. PIPE is ignored by the Rust runtime.
#[derive(Debug)]
pub struct Signals {
    term: Stream,
    int: Stream,
    hup: Stream,
    usr1: Stream,
    usr2: Stream,
}

impl Signals {
    /// Begins to listen; needs a running tokio.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.term.recv() => Signal::Exit,
            _ = self.int.recv() => Signal::Exit,
            _ = self.hup.recv() => Signal::Exit,
            _ = self.usr1.recv() => Signal::Dump,
            _ = self.usr2.recv() => Signal::Check,
        }
    }
}
