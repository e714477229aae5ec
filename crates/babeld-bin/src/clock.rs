//! The engine's time: microseconds since boot, suspend included, so that neighbours age while
//! the machine sleeps.

use babel_core::time::Instant;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The present.
pub fn now() -> Instant {
    // The call cannot fail for a clock that every kernel of ours has; zero would merely be early.
    let Ok(time) = clock_gettime(ClockId::CLOCK_BOOTTIME) else {
        return Instant::ZERO;
    };
    Instant::ZERO + Duration::from(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_backwards_and_has_started() {
        let first = now();
        assert!(first > Instant::ZERO);
        assert!(now() >= first);
    }
}
