//! Ctrl-C, and the other ways of being told to stop: noticed, so that everything can be put away.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Whether the user wants us to stop.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to listen. Call it before other threads start, so that they inherit the mask.
    pub(super) fn listen() -> Result<Self> {
        let signals = stop_signals();
        signals.thread_block().context("blocking signals")?;
        let flag = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&flag);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                while signals.wait().is_ok() {
                    if theirs.swap(true, Ordering::Relaxed) {
                        // Asked twice: the holders put the namespaces away without us.
                        std::process::exit(130);
                    }
                }
            })
            .context("starting the thread for signals")?;
        Ok(Self(flag))
    }

    /// An error once the user has asked.
    pub(super) fn check(&self) -> Result<()> {
        if self.came() {
            bail!("interrupted");
        }
        Ok(())
    }

    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The signals that ask a program to stop.
pub(super) fn stop_signals() -> SigSet {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals
}
