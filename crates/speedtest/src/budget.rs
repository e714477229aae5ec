//! What a test has spent and may spend: octets, shared by all its sockets.
//!
//! Sockets ask before they read or write, so the limit holds whatever the other side does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets spent, and the limit.
#[derive(Debug)]
pub(crate) struct Budget {
    spent: AtomicU64,
    limit: u64,
    /// What this is a part of.
    whole: Option<Arc<Self>>,
}

impl Budget {
    pub(crate) const fn new(limit: u64) -> Self {
        Self {
            spent: AtomicU64::new(0),
            limit,
            whole: None,
        }
    }

    /// A part of a budget: what it spends, the whole spends.
    pub(crate) const fn part_of(whole: Arc<Self>, limit: u64) -> Self {
        Self {
            spent: AtomicU64::new(0),
            limit,
            whole: Some(whole),
        }
    }

    /// How many of `wanted` octets may be read or written now; an error if none.
    pub(crate) fn allow(&self, wanted: usize) -> io::Result<usize> {
        match usize::try_from(self.left()).unwrap_or(usize::MAX) {
            0 => Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the byte limit of the test is reached",
            )),
            left => Ok(wanted.min(left)),
        }
    }

    /// `octets` were read or written.
    pub(crate) fn spend(&self, octets: usize) {
        if let Some(whole) = &self.whole {
            whole.spend(octets);
        }
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.spent.fetch_add(octets, Ordering::Relaxed);
    }

    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    pub(crate) fn left(&self) -> u64 {
        let own = self.limit.saturating_sub(self.spent());
        self.whole
            .as_ref()
            .map_or(own, |whole| own.min(whole.left()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_beyond_the_limit() {
        let budget = Budget::new(10);
        assert_eq!(budget.allow(4).ok(), Some(4));
        budget.spend(4);
        assert_eq!(budget.allow(100).ok(), Some(6));
        budget.spend(6);
        assert!(budget.allow(1).is_err());
        assert_eq!((budget.spent(), budget.left()), (10, 0));
    }

    #[test]
    fn a_part_spends_of_the_whole_and_never_more_than_its_share() {
        let whole = Arc::new(Budget::new(10));
        let part = Budget::part_of(whole.clone(), 6);
        part.spend(4);
        assert_eq!((part.left(), whole.left()), (2, 6));
        whole.spend(5);
        assert_eq!((part.left(), whole.left()), (1, 1));
    }
}
