//! What is known of one sender whose MACs are right: its counter, and challenges either way.
//!
//! There is no receive window, which RFC 9467 §3.2 leaves to us: as specified it forgets at each
//! challenge what was heard before, so that up to 127 recorded packets could be replayed then.
//! The split counters let unicast and multicast overtake each other, which is what links do.

use super::AuthFailure;
use super::entropy::Generator;
use crate::time::Instant;
use core::time::Duration;
use smallvec::SmallVec;

/// A challenge must be answered within this (RFC 8967 §4.3.1.1).
const CHALLENGE_LIFE: Duration = Duration::from_secs(30);
/// Between challenges to one sender, and between replies to it (RFC 8967 §4.3.1.1, §4.3.1.2).
const PACE: Duration = Duration::from_millis(300);
/// Index and PC are discarded this long after the last accepted packet (RFC 8967 §4.4).
const INDEX_LIFE: Duration = Duration::from_secs(300);
/// Challenges that may be answered at the same time: with one alone, a link whose round trip
/// takes longer than [`PACE`] might never get an answer to the newest.
const MAX_NONCES: usize = 4;
/// Octets of our nonces.
const NONCE_LEN: usize = 16;

/// What identifies one challenge of ours.
pub(crate) type Nonce = [u8; NONCE_LEN];
/// A nonce of somebody else's, up to 192 octets.
pub(crate) type Echo = SmallVec<[u8; 16]>;

/// One sender.
#[derive(Debug, Default)]
pub(super) struct Peer {
    verified: Option<Verified>,
    /// Our challenges that were not answered, and when they expire; the newest last.
    nonces: SmallVec<[(Nonce, Instant); MAX_NONCES]>,
    last_challenge: Option<Instant>,
    /// A challenge that was not sent yet.
    challenge: Option<Nonce>,
    last_reply: Option<Instant>,
    /// What to reply, and not before when.
    reply: Option<(Instant, Echo)>,
}

/// Its (Index, PCm, PCu) (RFC 9467 §3.1).
#[derive(Debug)]
struct Verified {
    index: SmallVec<[u8; 16]>,
    multicast: u32,
    unicast: u32,
    accepted: Instant,
}

impl Peer {
    /// It answered a challenge by a packet with this pair, which is as new as can be.
    pub(super) fn verified(&mut self, now: Instant, index: &[u8], pc: u32) {
        self.nonces.clear();
        self.challenge = None;
        self.verified = Some(Verified {
            index: index.into(),
            multicast: pc,
            unicast: pc,
            accepted: now,
        });
    }

    /// Whether a packet that answers no challenge is new (RFC 9467 §3.1). Destinations, and so the
    /// counter that is looked at, are covered by the MAC.
    pub(super) fn accepts(
        &mut self,
        now: Instant,
        index: &[u8],
        pc: u32,
        multicast: bool,
    ) -> Result<(), AuthFailure> {
        let verified = self.verified.as_mut().filter(|v| *v.index == *index);
        let Some(verified) = verified else {
            return Err(AuthFailure::UnknownIndex);
        };
        let highest = if multicast {
            &mut verified.multicast
        } else {
            &mut verified.unicast
        };
        if pc <= *highest {
            return Err(AuthFailure::Replayed);
        }
        *highest = pc;
        verified.accepted = now;
        Ok(())
    }

    /// Makes a challenge to be sent at once, unless the last one was just now.
    pub(super) fn challenge(&mut self, now: Instant, generator: &mut Generator) -> bool {
        if self.last_challenge.is_some_and(|at| now.since(at) < PACE) {
            return false;
        }
        let nonce = generator.draw();
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.remove(0);
        }
        self.nonces.push((nonce, now + CHALLENGE_LIFE));
        self.last_challenge = Some(now);
        self.challenge = Some(nonce);
        true
    }

    /// Notes that it wants `nonce` back. Answers when to send it. The newest request counts.
    pub(super) fn challenged(&mut self, now: Instant, nonce: &[u8]) -> Instant {
        let due = match &self.reply {
            Some((due, _)) => *due,
            None => self.last_reply.map_or(now, |at| now.max(at + PACE)),
        };
        self.reply = Some((due, nonce.into()));
        due
    }

    /// The reply that is due.
    pub(super) fn take_reply(&mut self, now: Instant) -> Option<Echo> {
        let (_, nonce) = self.reply.take_if(|(due, _)| *due <= now)?;
        self.last_reply = Some(now);
        Some(nonce)
    }

    /// The challenge that waits.
    pub(super) fn take_challenge(&mut self) -> Option<Nonce> {
        self.challenge.take()
    }

    /// Drops what is of no use while the link is down.
    pub(super) fn calm(&mut self) {
        self.nonces.clear();
        self.challenge = None;
        self.reply = None;
    }

    /// Discards what has expired (RFC 8967 §4.4). Only accepted packets prolong anything: failing
    /// challenges do not. Answers whether anything is left that matters for a sender that is a
    /// `neighbour` or not.
    pub(super) fn expire(&mut self, now: Instant, neighbour: bool) -> bool {
        self.nonces.retain(|(_, expiry)| now < *expiry);
        self.verified
            .take_if(|v| !neighbour || now.since(v.accepted) >= INDEX_LIFE);
        let paced = |at: Option<Instant>| at.is_some_and(|at| now.since(at) < PACE);
        self.verified.is_some()
            || !self.nonces.is_empty()
            || self.reply.is_some()
            || paced(self.last_reply)
            || paced(self.last_challenge)
    }

    /// Whether a challenge waits to be sent, or a reply is due.
    pub(super) fn owes(&self, now: Instant) -> bool {
        self.challenge.is_some() || self.reply.as_ref().is_some_and(|(due, _)| *due <= now)
    }

    /// Whether `nonce` answers a challenge in time (RFC 8967 §4.3.1.3).
    pub(super) fn expects(&self, now: Instant, nonce: &[u8]) -> bool {
        let mut nonces = self.nonces.iter();
        nonces.any(|(known, expiry)| now < *expiry && known == nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Entropy;
    use super::*;

    const INDEX: &[u8] = b"index";

    fn at(seconds: f64) -> Instant {
        Instant::ZERO + Duration::from_secs_f64(1000.0 + seconds)
    }

    fn generator() -> Generator {
        Generator::new(&Entropy::new([9; 32]))
    }

    fn known(pc: u32) -> Peer {
        let mut peer = Peer::default();
        peer.verified(at(0.0), INDEX, pc);
        peer
    }

    // 9467-3.1-1, 9467-3.1-2, 9467-3.1-3
    #[test]
    fn unicast_and_multicast_are_counted_apart_from_where_the_challenge_left_them() {
        let mut peer = known(10);
        for multicast in [true, false] {
            let replayed = Err(AuthFailure::Replayed);
            assert_eq!(peer.accepts(at(1.0), INDEX, 9, multicast), replayed);
            assert_eq!(peer.accepts(at(1.0), INDEX, 10, multicast), replayed);
        }
        assert_eq!(peer.accepts(at(1.0), INDEX, 30, false), Ok(()));
        // The late multicast is accepted, each only once.
        assert_eq!(peer.accepts(at(1.0), INDEX, 20, true), Ok(()));
        for (pc, multicast) in [(20, true), (19, true), (30, false), (29, false)] {
            let replayed = Err(AuthFailure::Replayed);
            assert_eq!(peer.accepts(at(1.0), INDEX, pc, multicast), replayed);
        }
        assert_eq!(peer.accepts(at(1.0), INDEX, u32::MAX, true), Ok(()));
    }

    // 8967-4.3-9
    #[test]
    fn another_index_is_unknown_whatever_the_counter_and_so_is_one_never_verified() {
        let mut peer = known(10);
        let unknown = Err(AuthFailure::UnknownIndex);
        for index in [&b"inde"[..], b"indey", b"index\0", b""] {
            assert_eq!(peer.accepts(at(1.0), index, 11, true), unknown);
        }
        assert_eq!(Peer::default().accepts(at(1.0), b"", 11, true), unknown);
        let mut nameless = Peer::default();
        nameless.verified(at(0.0), b"", 3);
        assert_eq!(nameless.accepts(at(1.0), b"", 4, true), Ok(()));
    }

    // 8967-4.3.1.1-4, 8967-4.3.1.1-5
    #[test]
    fn challenges_are_three_hundred_milliseconds_apart_and_never_the_same() {
        let (mut peer, mut generator) = (Peer::default(), generator());
        let mut nonces = Vec::new();
        for ms in 0..3000_u32 {
            if peer.challenge(at(f64::from(ms) / 1000.0), &mut generator) {
                nonces.extend(peer.take_challenge());
            }
        }
        assert_eq!(nonces.len(), 10);
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), 10);
        assert_eq!(peer.nonces.len(), MAX_NONCES);
    }

    // 8967-4.3.1.1-2, 8967-4.3.1.3-1, 8967-4.3.1.3-2
    #[test]
    fn a_nonce_is_good_for_thirty_seconds_and_once() {
        let (mut peer, mut generator) = (Peer::default(), generator());
        assert!(!peer.expects(at(0.0), b""), "none was sent");
        assert!(peer.challenge(at(0.0), &mut generator));
        let nonce = peer.take_challenge().expect("a challenge");
        assert!(!peer.expects(at(1.0), &nonce[1..]));
        assert!(!peer.expects(at(1.0), b""));
        assert!(peer.expects(at(1.0), &nonce), "a mismatch keeps it");
        assert!(peer.expects(at(29.9), &nonce));
        assert!(!peer.expects(at(30.0), &nonce));
        assert!(!peer.expects(at(31.0), &nonce));
        peer.verified(at(1.0), INDEX, 1);
        assert!(!peer.expects(at(1.0), &nonce), "success discards it");
    }

    // 8967-4.3.1.2-5, 8967-4.3.1.2-6
    #[test]
    fn replies_are_three_hundred_milliseconds_apart_and_the_newest_nonce_is_not_lost() {
        let mut peer = Peer::default();
        assert_eq!(peer.challenged(at(0.0), b"one"), at(0.0));
        assert_eq!(peer.take_reply(at(0.0)).as_deref(), Some(&b"one"[..]));
        assert_eq!(peer.challenged(at(0.1), b"two"), at(0.3));
        assert_eq!(peer.challenged(at(0.2), b"three"), at(0.3));
        assert_eq!(peer.take_reply(at(0.2)), None);
        assert_eq!(peer.take_reply(at(0.3)).as_deref(), Some(&b"three"[..]));
        assert_eq!(peer.take_reply(at(9.0)), None);
    }

    // 8967-4.4-1, 8967-4.4-2, 8967-4.4-3
    #[test]
    fn the_index_expires_five_minutes_after_the_last_accepted_packet_despite_challenges() {
        let (mut peer, mut generator) = (known(10), generator());
        assert_eq!(peer.accepts(at(10.0), INDEX, 11, true), Ok(()));
        for second in 11..310 {
            let now = at(f64::from(second));
            assert!(peer.accepts(now, b"other", 1, true).is_err());
            assert!(peer.accepts(now, INDEX, 11, true).is_err());
            peer.challenge(now, &mut generator);
            assert!(peer.expire(now, true));
            assert!(peer.verified.is_some());
        }
        peer.expire(at(310.0), true);
        assert!(peer.verified.is_none());
        assert!(!peer.expire(at(340.0), true), "nothing is left");
    }

    #[test]
    fn without_a_neighbour_only_open_challenges_and_paces_are_kept() {
        let (mut peer, mut generator) = (known(10), generator());
        assert!(!peer.expire(at(0.0), false));
        assert!(peer.challenge(at(0.0), &mut generator));
        assert!(peer.expire(at(29.0), false));
        assert!(!peer.expire(at(30.0), false));
    }
}
