//! What the links carry while nobody tests: saturation, and traffic that nothing answers.
//!
//! Readings of the kernel's counters some ten seconds apart, compared with the last ones. Both
//! findings are about what users do anyway, so they cannot be gamed by a neighbour that treats
//! tests well:
//! - *saturated*: the queue dropped packets in two windows running while the link carried R. The
//!   link takes no more than R, whatever a test said.
//! - *suspect*: we sent, beyond Babel's own packets, and nothing came back. This alone convicts
//!   nobody: answers may come by another way (asymmetric paths are normal in a mesh), and a stream
//!   of one-way packets has none. The caller confirms it by a small test through the neighbour.
//!
//! Pure: it is given the readings and the time.

use babel_core::time::Instant;
use babel_core::types::LinkId;
use babel_netlink::LinkCounters;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between readings.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(10);
/// Drops in a window that are no accident.
const MIN_DROPS: u32 = 10;
/// Packets beyond Babel's in a window that want an answer.
const MIN_SENT: u64 = 10;
/// Packets beyond Babel's in a window that are no answer: neighbour discovery.
const MAX_NOISE: u64 = 3;

/// What a link's counters show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It carries no more than this, in bits per second.
    Saturated(u64),
    /// We send and nothing comes back.
    Suspect,
}

/// A reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Seen {
    at: Instant,
    counters: LinkCounters,
    queue_drops: u32,
    /// Babel's packets since then.
    said: u64,
    heard: u64,
    /// Of the window that ended with this reading: the greater direction, bits per second.
    load: Option<u64>,
    /// Of that window, if it had drops: what was sent, bits per second.
    dropping: Option<u64>,
}

/// The last reading of each link.
#[derive(Debug, Default)]
pub struct Watch {
    links: BTreeMap<LinkId, Seen>,
}

impl Watch {
    /// We sent a Babel packet.
    pub fn said(&mut self, link: LinkId) {
        if let Some(seen) = self.links.get_mut(&link) {
            seen.said += 1;
        }
    }

    /// We received a Babel packet.
    pub fn heard(&mut self, link: LinkId) {
        if let Some(seen) = self.links.get_mut(&link) {
            seen.heard += 1;
        }
    }

    /// Forgets a link; what it carried during a test says nothing about users.
    pub fn forget(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// Keeps only these links.
    pub fn retain(&mut self, keep: impl Fn(LinkId) -> bool) {
        self.links.retain(|link, _| keep(*link));
    }

    /// Compares a reading with the last one of the link.
    pub fn look(
        &mut self,
        now: Instant,
        link: LinkId,
        counters: LinkCounters,
        queue_drops: u32,
    ) -> Option<Finding> {
        let fresh = Seen {
            at: now,
            counters,
            queue_drops,
            ..Seen::default()
        };
        let last = self.links.insert(link, fresh)?;
        let window = now.since(last.at);
        // A device made anew begins at zero.
        let restarted = counters.sent_packets < last.counters.sent_packets
            || counters.received_packets < last.counters.received_packets;
        if restarted || window.is_zero() {
            return None;
        }
        let rate = |before: u64, after: u64| {
            let bits = u128::from(after.saturating_sub(before)) * 8_000_000;
            u64::try_from(bits / window.as_micros().max(1)).unwrap_or(u64::MAX)
        };
        let sent_rate = rate(last.counters.sent_octets, counters.sent_octets);
        let received_rate = rate(last.counters.received_octets, counters.received_octets);
        let device_drops = counters.send_drops.saturating_sub(last.counters.send_drops);
        let drops = u64::from(queue_drops.wrapping_sub(last.queue_drops)) + device_drops;
        let dropping = (drops >= u64::from(MIN_DROPS)).then_some(sent_rate);
        if let Some(seen) = self.links.get_mut(&link) {
            seen.load = Some(sent_rate.max(received_rate));
            seen.dropping = dropping;
        }
        if let (Some(before), Some(now)) = (last.dropping, dropping) {
            return Some(Finding::Saturated(before.max(now)));
        }
        let beyond = |before: u64, after: u64, babel: u64| {
            after.saturating_sub(before).saturating_sub(babel)
        };
        let sent = beyond(last.counters.sent_packets, counters.sent_packets, last.said);
        let received = beyond(
            last.counters.received_packets,
            counters.received_packets,
            last.heard,
        );
        (sent >= MIN_SENT && received <= MAX_NOISE).then_some(Finding::Suspect)
    }

    /// What the link carried in the last window, the greater direction, in bits per second.
    pub fn load(&self, link: LinkId) -> Option<u64> {
        self.links.get(&link)?.load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId(1);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn counters(sent: u64, received: u64) -> LinkCounters {
        LinkCounters {
            sent_packets: sent,
            received_packets: received,
            sent_octets: sent * 1000,
            received_octets: received * 1000,
            send_drops: 0,
        }
    }

    #[test]
    fn drops_in_two_windows_running_are_saturation_at_what_was_carried() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(at(0), LINK, counters(0, 0), 0), None);
        assert_eq!(watch.look(at(10), LINK, counters(1000, 900), 50), None);
        assert_eq!(watch.load(LINK), Some(800_000));
        let found = watch.look(at(20), LINK, counters(2500, 1900), 100);
        assert_eq!(found, Some(Finding::Saturated(1_200_000)));
        // A pause begins the count anew.
        assert_eq!(watch.look(at(30), LINK, counters(3000, 2900), 101), None);
        assert_eq!(watch.look(at(40), LINK, counters(4000, 3900), 200), None);
    }

    #[test]
    fn what_nothing_answers_is_suspect_and_babel_alone_is_not() {
        let mut watch = Watch::default();
        watch.look(at(0), LINK, counters(0, 0), 0);
        for _ in 0..30 {
            watch.said(LINK);
            watch.heard(LINK);
        }
        assert_eq!(watch.look(at(10), LINK, counters(32, 32), 0), None);
        for _ in 0..30 {
            watch.heard(LINK);
        }
        let found = watch.look(at(20), LINK, counters(52, 63), 0);
        assert_eq!(found, Some(Finding::Suspect));
        let answered = watch.look(at(30), LINK, counters(152, 113), 0);
        assert_eq!(answered, None);
    }

    #[test]
    fn a_new_device_and_a_forgotten_link_begin_anew() {
        let mut watch = Watch::default();
        watch.look(at(0), LINK, counters(5000, 5000), 0);
        assert_eq!(watch.look(at(10), LINK, counters(50, 0), 0), None);
        watch.forget(LINK);
        assert_eq!(watch.look(at(20), LINK, counters(5000, 0), 0), None);
        assert_eq!(watch.load(LINK), None);
    }
}
