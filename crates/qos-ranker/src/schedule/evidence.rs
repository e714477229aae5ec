//! What failed tests say of a neighbour.
//!
//! One failure says nothing: the target may be down, slow or lying. But a target that fails three
//! times through one neighbour, while a test through another reached it meanwhile, works; then it
//! is the neighbour that drops the test, and what it was measured at before cannot be believed any
//! more. That is the whole rule. It makes a neighbour unproven and never failing, for a filter on
//! the way to one server is not yet bad service.

use babel_core::time::Instant;

/// What to make of a test that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conclusion {
    /// Nothing about the neighbour.
    Nothing,
    /// The neighbour seems to drop the tests of this target: see [`crate::Ranker::doubt`].
    Doubt,
}

/// How the tests of one neighbour and target ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Evidence {
    last_success: Option<Instant>,
    /// Since the last success.
    failures: u32,
    /// Since the last success or doubt, with when the first began.
    suspicious: Option<(u32, Instant)>,
}

impl Evidence {
    /// Failures through one neighbour that are needed.
    const ENOUGH: u32 = 3;

    pub(super) fn succeeded(&mut self, now: Instant) {
        *self = Self {
            last_success: Some(now),
            ..Self::default()
        };
    }

    /// A test that `began` then failed now; `other_success` is when a test of the same target
    /// last succeeded through another neighbour.
    pub(super) fn failed(
        &mut self,
        began: Instant,
        now: Instant,
        other_success: Option<Instant>,
    ) -> Conclusion {
        self.failures = self.failures.saturating_add(1);
        let (count, since) = self.suspicious.unwrap_or((0, began));
        self.suspicious = Some((count.saturating_add(1), since));
        let meanwhile = other_success.is_some_and(|success| success >= since && success <= now);
        if count + 1 >= Self::ENOUGH && meanwhile {
            self.suspicious = None;
            Conclusion::Doubt
        } else {
            Conclusion::Nothing
        }
    }

    /// Since the last success.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) const fn last_success(&self) -> Option<Instant> {
        self.last_success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Instant {
        Instant::from_micros(second * 1_000_000)
    }

    fn fail(evidence: &mut Evidence, second: u64, other: Option<u64>) -> Conclusion {
        evidence.failed(at(second - 5), at(second), other.map(at))
    }

    #[test]
    fn three_failures_are_evidence_if_another_neighbour_reached_the_target_meanwhile() {
        let mut evidence = Evidence::default();
        assert_eq!(fail(&mut evidence, 100, Some(99)), Conclusion::Nothing);
        assert_eq!(fail(&mut evidence, 200, Some(150)), Conclusion::Nothing);
        assert_eq!(fail(&mut evidence, 300, Some(150)), Conclusion::Doubt);
        // From then on three more are needed.
        assert_eq!(fail(&mut evidence, 400, Some(390)), Conclusion::Nothing);
        assert_eq!(evidence.failures(), 4);
    }

    #[test]
    fn a_target_that_nobody_reaches_proves_nothing() {
        let mut evidence = Evidence::default();
        for second in 1..20 {
            assert_eq!(
                fail(&mut evidence, second * 100, Some(90)),
                Conclusion::Nothing
            );
            assert_eq!(
                fail(&mut evidence.clone(), second * 100 + 1, None),
                Conclusion::Nothing
            );
        }
    }

    #[test]
    fn a_success_in_between_clears_the_neighbour() {
        let mut evidence = Evidence::default();
        let _ = fail(&mut evidence, 100, Some(100));
        let _ = fail(&mut evidence, 200, Some(200));
        evidence.succeeded(at(250));
        assert_eq!(fail(&mut evidence, 300, Some(290)), Conclusion::Nothing);
        assert_eq!(evidence.failures(), 1);
        assert_eq!(evidence.last_success(), Some(at(250)));
    }
}
