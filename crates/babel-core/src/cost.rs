//! From Hello histories and IHUs to the cost of a link (RFC 8966 appendix A.2).

use crate::types::Metric;

/// Hellos received and missed, newest at the top bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reach(pub(crate) u16);

impl Reach {
    /// One Hello came.
    pub(crate) fn received(&mut self) {
        self.0 = self.0 >> 1 | 0x8000;
    }

    /// `n` Hellos did not come.
    pub(crate) fn missed(&mut self, n: u32) {
        self.0 = self.0.checked_shr(n).unwrap_or(0);
    }

    /// The newest `n` entries were made up: the sender counts fewer than we thought.
    pub(crate) fn undo(&mut self, n: u32) {
        self.0 = self.0.checked_shl(n).unwrap_or(0);
    }

    /// Nothing was heard for sixteen Hellos.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of the last four Hellos was missed.
    pub(crate) const fn is_lossy(self) -> bool {
        self.0 & 0xF000 != 0xF000
    }

    /// Two of the last three came.
    const fn two_of_three(self) -> bool {
        (self.0 >> 13).count_ones() >= 2
    }
}

/// Our rxcost for a neighbour: what its IHU will carry. `nominal` is the link's `rxcost`.
///
/// With link quality estimation (ETX) the history of Multicast Hellos counts, the newest the
/// most, in the weights of stock babeld. Otherwise two of the last three Hellos of either kind
/// suffice.
///
/// DEVIATION(RFC 8966 §A.2.2): the RFC leaves the estimate of β open and multiplies by 256; stock
/// babeld's weights are kept, and its scaling by the link's `rxcost`, so that mixed networks agree.
pub(crate) fn rxcost(multicast: Reach, unicast: Reach, nominal: Metric, quality: bool) -> Metric {
    if !quality {
        let heard = multicast.two_of_three() || unicast.two_of_three();
        return if heard { nominal } else { Metric::INFINITY };
    }
    if multicast.0 & 0xFFF0 == 0 {
        return Metric::INFINITY;
    }
    let weighted = u32::from((multicast.0 & 0x8000) >> 2)
        + u32::from((multicast.0 & 0x4000) >> 1)
        + u32::from(multicast.0 & 0x3FFF);
    saturate(0x8000 * u64::from(nominal.0) / (u64::from(weighted) + 1))
}

/// The link's cost, from what the neighbour tells (`txcost`) and what we measure (`rxcost`).
/// Never zero, whatever the neighbour tells (RFC 8966 §3.4.3).
pub(crate) fn cost(txcost: Metric, rxcost: Metric, quality: bool) -> Metric {
    if txcost.is_infinite() || rxcost.is_infinite() {
        return Metric::INFINITY;
    }
    if !quality {
        return txcost.max(Metric(1));
    }
    let product = u64::from(txcost.0.max(256)) * u64::from(rxcost.0.max(256));
    saturate((product + 128) >> 8)
}

fn saturate(value: u64) -> Metric {
    Metric(u16::try_from(value).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: Metric = Metric::INFINITY;

    #[test]
    fn two_of_three_truth_table() {
        let nominal = Metric(96);
        for (newest, usable) in [
            (0b000, false),
            (0b001, false),
            (0b010, false),
            (0b100, false),
            (0b011, true),
            (0b101, true),
            (0b110, true),
            (0b111, true),
        ] {
            let reach = Reach(newest << 13);
            let expected = if usable { nominal } else { INF };
            assert_eq!(
                rxcost(reach, Reach(0), nominal, false),
                expected,
                "{newest:03b}"
            );
            assert_eq!(
                rxcost(Reach(0), reach, nominal, false),
                expected,
                "unicast {newest:03b}"
            );
        }
    }

    #[test]
    fn etx_grows_with_loss_and_ignores_unicast_hellos() {
        let nominal = Metric(256);
        assert_eq!(rxcost(Reach(0xFFFF), Reach(0), nominal, true), nominal);
        assert!(rxcost(Reach(0x5555), Reach(0xFFFF), nominal, true) > Metric(600));
        assert_eq!(rxcost(Reach(0), Reach(0xFFFF), nominal, true), INF);
    }

    #[test]
    fn cost_is_infinite_when_either_direction_is_and_never_zero() {
        assert_eq!(cost(INF, Metric(96), false), INF);
        assert_eq!(cost(Metric(96), INF, false), INF);
        assert_eq!(
            cost(Metric(96), Metric(200), false),
            Metric(96),
            "the peer's word counts"
        );
        assert_eq!(cost(Metric(0), Metric(96), false), Metric(1));
        assert_eq!(cost(Metric(0), Metric(0), true), Metric(256));
        assert_eq!(cost(Metric(512), Metric(512), true), Metric(1024));
        assert_eq!(cost(Metric(65534), Metric(65534), true), INF, "saturates");
    }

    #[test]
    fn histories_shift_and_never_overflow() {
        let mut reach = Reach(0x8000);
        reach.received();
        assert_eq!(reach, Reach(0xC000));
        reach.missed(1);
        assert_eq!(reach, Reach(0x6000));
        assert!(reach.is_lossy());
        reach.undo(1);
        assert_eq!(reach, Reach(0xC000));
        reach.missed(200);
        assert!(reach.is_empty());
    }
}
