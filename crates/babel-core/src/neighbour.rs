//! One neighbour: what we hear from it, what it costs to reach, what it announced.

use crate::config::LinkConfig;
use crate::cost::{self, Reach};
use crate::event::DiagnosticKind;
use crate::rtt::Rtt;
use crate::table::PrefixId;
use crate::time::{Instant, Interval};
use crate::timer::Alarm;
use crate::types::{LinkId, Metric, Party, SeqNo};
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

/// A gap in Hello seqnos beyond this means the neighbour restarted (RFC 8966 appendix A.1).
const RESTART_GAP: u16 = 16;
/// When the next Hello is expected of a neighbour whose Hellos never promised one: without such a
/// guess, silence would never be noticed (RFC 8966 §3.4.3).
const UNPROMISED_INTERVAL: Duration = Duration::from_secs(20);
/// Next hops one neighbour may name; more are a waste or an attack.
const MAX_NEXT_HOPS: usize = 256;
/// Between two log lines of one kind about one neighbour.
const DIAGNOSTIC_INTERVAL: Duration = Duration::from_secs(60);

/// The Hellos of one kind: Multicast and Unicast are counted apart (RFC 8966 §3.2.4).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hellos {
    pub(crate) reach: Reach,
    pub(crate) alarm: Alarm,
    expected: SeqNo,
    interval: Interval,
}

/// What a Hello said about the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HelloNews {
    /// It fits.
    Heard,
    /// The sender restarted: what it announced before is void.
    Restarted,
}

impl Hellos {
    /// Takes a Hello in (RFC 8966 appendix A.1). Answers also when the next must have come: 1.5
    /// intervals from now, or `None` if it promised nothing and an earlier promise stands.
    pub(crate) fn received(
        &mut self,
        seqno: SeqNo,
        interval: Interval,
        now: Instant,
    ) -> (HelloNews, Option<Instant>) {
        let known = !self.reach.is_empty();
        let ahead = seqno.0.wrapping_sub(self.expected.0);
        let behind = self.expected.0.wrapping_sub(seqno.0);
        let mut news = HelloNews::Heard;
        if known {
            if ahead <= RESTART_GAP {
                self.reach.missed(u32::from(ahead));
            } else if behind <= RESTART_GAP {
                self.reach.undo(u32::from(behind));
            } else {
                self.reach = Reach::default();
                news = HelloNews::Restarted;
            }
        } else {
            // Sixteen misses ended the last promise.
            self.interval = Interval::default();
        }
        self.reach.received();
        self.expected = seqno.plus(1);
        if interval.is_zero() {
            let unpromised = self.interval.is_zero();
            return (news, unpromised.then(|| now + UNPROMISED_INTERVAL * 3 / 2));
        }
        self.interval = interval;
        (news, Some(now + interval.duration() * 3 / 2))
    }

    /// A Hello did not come; answers when the next must have.
    pub(crate) fn missed(&mut self, now: Instant) -> Instant {
        self.reach.missed(1);
        self.expected = self.expected.plus(1);
        if self.interval.is_zero() {
            return now + UNPROMISED_INTERVAL;
        }
        now + self.interval.duration()
    }
}

/// A neighbour.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub(crate) link: LinkId,
    pub(crate) address: Ipv6Addr,
    pub(crate) multicast: Hellos,
    pub(crate) unicast: Hellos,
    pub(crate) txcost: Metric,
    pub(crate) rxcost: Metric,
    pub(crate) cost: Metric,
    pub(crate) rtt: Rtt,
    pub(crate) ihu_alarm: Alarm,
    pub(crate) idle_alarm: Alarm,
    pub(crate) last_hello: Option<Instant>,
    pub(crate) last_ihu: Option<Instant>,
    /// Prefixes it announced; each route knows its place here.
    pub(crate) routes: Vec<PrefixId>,
    /// Next hops it named; the first is its own address.
    next_hops: Vec<IpAddr>,
    diagnosed: Vec<(core::mem::Discriminant<DiagnosticKind>, Instant)>,
}

impl Neighbour {
    /// A neighbour just met.
    pub(crate) fn new(link: LinkId, address: Ipv6Addr) -> Self {
        Self {
            link,
            address,
            multicast: Hellos::default(),
            unicast: Hellos::default(),
            txcost: Metric::INFINITY,
            rxcost: Metric::INFINITY,
            cost: Metric::INFINITY,
            rtt: Rtt::default(),
            ihu_alarm: Alarm::default(),
            idle_alarm: Alarm::default(),
            last_hello: None,
            last_ihu: None,
            routes: Vec::new(),
            next_hops: vec![IpAddr::V6(address)],
            diagnosed: Vec::new(),
        }
    }

    /// The index of a next hop, entered if new; `None` if it has named too many.
    pub(crate) fn intern_next_hop(&mut self, next_hop: IpAddr) -> Option<u16> {
        // A packet's Updates nearly always share one next hop, and it is near the end.
        let known = self.next_hops.iter().rposition(|known| *known == next_hop);
        let index = match known {
            Some(index) => index,
            None if self.next_hops.len() < MAX_NEXT_HOPS => {
                self.next_hops.push(next_hop);
                self.next_hops.len() - 1
            }
            None => return None,
        };
        u16::try_from(index).ok()
    }

    /// Works out rxcost and cost anew; true if the cost changed.
    pub(crate) fn update_cost(&mut self, link: &LinkConfig, now: Instant) -> bool {
        let old = self.cost;
        self.rxcost = cost::rxcost(
            self.multicast.reach,
            self.unicast.reach,
            link.rxcost,
            link.link_quality,
        );
        self.cost =
            cost::cost(self.txcost, self.rxcost, link.link_quality).plus(self.rtt.penalty(now));
        self.cost != old
    }

    /// Whether something of this kind may be logged again now.
    pub(crate) fn may_diagnose(&mut self, kind: &DiagnosticKind, now: Instant) -> bool {
        let kind = core::mem::discriminant(kind);
        match self.diagnosed.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, last)) if now.since(*last) < DIAGNOSTIC_INTERVAL => false,
            Some((_, last)) => {
                *last = now;
                true
            }
            None => {
                self.diagnosed.push((kind, now));
                true
            }
        }
    }

    /// A next hop by index.
    pub(crate) fn next_hop(&self, index: u16) -> IpAddr {
        self.next_hops
            .get(usize::from(index))
            .copied()
            .unwrap_or(IpAddr::V6(self.address))
    }

    /// Who it is.
    pub(crate) const fn party(&self) -> Party {
        Party {
            link: self.link,
            address: self.address,
        }
    }

    /// Whether it wants an IHU with every Hello: the link is lossy or one-way.
    pub(crate) fn is_marginal(&self) -> bool {
        self.txcost.is_infinite()
            || self.txcost >= Metric(384)
            || (self.multicast.reach.is_lossy() && self.unicast.reach.is_lossy())
    }

    /// Whether nothing was heard for so long that it is gone.
    pub(crate) const fn is_silent(&self) -> bool {
        self.multicast.reach.is_empty() && self.unicast.reach.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Interval = Interval::from_centis(100);

    fn hear(hellos: &mut Hellos, seqno: u16) -> HelloNews {
        hellos.received(SeqNo(seqno), SECOND, Instant::ZERO).0
    }

    #[test]
    fn missed_hellos_show_as_zeroes_also_across_the_wrap() {
        let mut hellos = Hellos::default();
        hear(&mut hellos, 65534);
        hear(&mut hellos, 65535);
        hear(&mut hellos, 2);
        assert_eq!(hellos.reach, Reach(0b1001_1000_0000_0000));
    }

    #[test]
    fn a_hello_behind_the_expected_one_takes_back_presumed_misses() {
        let mut hellos = Hellos::default();
        hear(&mut hellos, 10);
        hellos.missed(Instant::ZERO);
        hellos.missed(Instant::ZERO);
        assert_eq!(hellos.reach, Reach(0b0010_0000_0000_0000));
        hear(&mut hellos, 11);
        assert_eq!(hellos.reach, Reach(0b1100_0000_0000_0000));
    }

    #[test]
    fn a_jump_of_seventeen_is_a_restart_and_of_sixteen_is_not() {
        for jump in [17, 0x8000, 0xFFFF - 16] {
            let mut hellos = Hellos::default();
            hear(&mut hellos, 100);
            let next = SeqNo(101).plus(jump);
            assert_eq!(hear(&mut hellos, next.0), HelloNews::Restarted, "{jump}");
            assert_eq!(hellos.reach, Reach(0x8000));
        }
        let mut hellos = Hellos::default();
        hear(&mut hellos, 100);
        assert_eq!(hear(&mut hellos, 117), HelloNews::Heard);
    }

    #[test]
    fn an_unscheduled_hello_makes_no_new_promise() {
        let mut hellos = Hellos::default();
        let (_, due) = hellos.received(SeqNo(1), SECOND, Instant::ZERO);
        assert_eq!(due, Some(Instant::from_micros(1_500_000)));
        let (_, due) = hellos.received(SeqNo(2), Interval::from_centis(0), Instant::ZERO);
        assert_eq!(due, None);
        assert_eq!(
            hellos.missed(Instant::ZERO),
            Instant::from_micros(1_000_000)
        );
    }

    #[test]
    fn an_unscheduled_hello_after_a_long_silence_is_waited_for_again() {
        let mut hellos = Hellos::default();
        hear(&mut hellos, 1);
        (0..16).for_each(|_| {
            hellos.missed(Instant::ZERO);
        });
        assert!(hellos.reach.is_empty());
        let (_, due) = hellos.received(SeqNo(30), Interval::from_centis(0), Instant::ZERO);
        assert!(due.is_some());
    }

    #[test]
    fn next_hops_are_interned_and_capped() {
        let address: Ipv6Addr = "fe80::1".parse().expect("an address");
        let mut neighbour = Neighbour::new(LinkId(1), address);
        assert_eq!(neighbour.intern_next_hop(IpAddr::V6(address)), Some(0));
        for i in 1..MAX_NEXT_HOPS {
            let hop = IpAddr::V4(u32::try_from(i).expect("small").into());
            assert_eq!(neighbour.intern_next_hop(hop), u16::try_from(i).ok());
            assert_eq!(neighbour.intern_next_hop(hop), u16::try_from(i).ok());
        }
        assert_eq!(neighbour.intern_next_hop(IpAddr::V4(u32::MAX.into())), None);
    }

    #[test]
    fn one_diagnostic_a_minute_for_each_kind() {
        let mut neighbour = Neighbour::new(LinkId(1), Ipv6Addr::LOCALHOST);
        let kind = DiagnosticKind::Overrun;
        assert!(neighbour.may_diagnose(&kind, Instant::ZERO));
        assert!(!neighbour.may_diagnose(&kind, Instant::from_micros(59_000_000)));
        assert!(neighbour.may_diagnose(&DiagnosticKind::NotLinkLocal, Instant::ZERO));
        assert!(neighbour.may_diagnose(&kind, Instant::from_micros(60_000_000)));
    }
}
