//! When the daemon's own periodic and deferred work is due.

use babel_core::time::Instant;
use std::time::Duration;

/// Interfaces that could not be set up are tried again this often.
const FORGIVE_EVERY: Duration = Duration::from_secs(30);
/// At least this long between full reads of the kernel's routes.
const READ_GAP: Duration = Duration::from_millis(500);

/// Work put off until a time; `None` where there is nothing to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chores {
    /// The safety check of `kernel-check-interval`.
    pub(super) check: Option<Instant>,
    /// Routes of a former life have served long enough.
    pub(super) release: Option<Instant>,
    /// The routes to announce must be read again.
    pub(super) reread: Option<Instant>,
    /// Our routes must be compared with the kernel's.
    pub(super) resync: Option<Instant>,
    /// Interfaces that could not be set up get another chance.
    pub(super) forgive: Option<Instant>,
    /// The socket had no room to send.
    pub(super) send: Option<Instant>,
    /// The socket reported an error on receiving.
    pub(super) receive: Option<Instant>,
    last_reread: Option<Instant>,
    last_resync: Option<Instant>,
}

impl Chores {
    /// Begins the periodic ones.
    pub(super) fn start(now: Instant, check_interval: Option<Duration>) -> Self {
        Self {
            check: check_interval.map(|interval| now + interval),
            forgive: Some(now + FORGIVE_EVERY),
            ..Self::default()
        }
    }

    /// Asks for the routes to announce to be read again: at once, unless that was just done.
    pub(super) fn want_reread(&mut self, now: Instant) {
        let at = self
            .last_reread
            .map_or(now, |last| now.max(last + READ_GAP));
        self.reread.get_or_insert(at);
    }

    /// Asks for our routes to be compared: at once, unless that was just done.
    pub(super) fn want_resync(&mut self, now: Instant) {
        let at = self
            .last_resync
            .map_or(now, |last| now.max(last + READ_GAP));
        self.resync.get_or_insert(at);
    }

    /// Whether the routes to announce are to be read now; they count as read if so.
    pub(super) fn take_reread(&mut self, now: Instant) -> bool {
        let due = take(&mut self.reread, now);
        if due {
            self.last_reread = Some(now);
        }
        due
    }

    /// Whether our routes are to be compared now; they count as compared if so.
    pub(super) fn take_resync(&mut self, now: Instant) -> bool {
        let due = take(&mut self.resync, now);
        if due {
            self.last_resync = Some(now);
        }
        due
    }

    /// Whether interfaces get another chance now.
    pub(super) fn take_forgive(&mut self, now: Instant) -> bool {
        let due = take(&mut self.forgive, now);
        if due {
            self.forgive = Some(now + FORGIVE_EVERY);
        }
        due
    }

    /// Whether the safety check is due now.
    pub(super) fn take_check(&mut self, now: Instant, interval: Option<Duration>) -> bool {
        let due = take(&mut self.check, now);
        if due {
            self.check = interval.map(|interval| now + interval);
        }
        due
    }

    /// The earliest of all.
    pub(super) fn next(&self) -> Option<Instant> {
        let all = [
            self.check,
            self.release,
            self.reread,
            self.resync,
            self.forgive,
            self.send,
            self.receive,
        ];
        all.into_iter().flatten().min()
    }
}

/// Whether `chore` is due; if so it is done with.
pub(super) fn take(chore: &mut Option<Instant>, now: Instant) -> bool {
    chore.take_if(|at| *at <= now).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_the_kernel_keep_their_distance_and_are_never_forgotten() {
        let now = Instant::from_micros(1_000_000);
        let mut chores = Chores::default();
        chores.want_reread(now);
        chores.want_reread(now + Duration::from_millis(1));
        assert!(chores.take_reread(now));
        chores.want_reread(now);
        assert!(!chores.take_reread(now));
        let due = chores.next().expect("a chore");
        assert_eq!(due, now + READ_GAP);
        assert!(chores.take_reread(due));
        assert_eq!(chores.next(), None);
    }

    #[test]
    fn periodic_work_comes_again() {
        let interval = Some(Duration::from_secs(300));
        let mut chores = Chores::start(Instant::ZERO, interval);
        let first = Instant::ZERO + Duration::from_secs(300);
        assert!(chores.take_check(first, interval));
        assert_eq!(chores.check, Some(first + Duration::from_secs(300)));
        assert!(chores.take_forgive(first));
        assert!(chores.forgive > Some(first));
    }
}
