//! What users' own traffic says of the neighbours: full links, and black holes.
//!
//! A neighbour that does well in tests and drops everything else, or that keeps speaking Babel
//! while its uplink is dead, shows in the counters of its link: we send and nothing comes back.
//! That alone convicts nobody, for in a mesh answers may come by another way, and one-way streams
//! have none. So a suspect is *checked*: a test of a few packets through its pin, to a target. If
//! the target does not answer through the suspect, and then does through another neighbour, what
//! goes to the suspect is lost, and it is demoted at once; the next measurement that works clears
//! it. A target that answers nobody convicts nobody. (Without probe addresses the answers to a
//! witness may come back by the suspect, and be lost: then there is no witness.)
//!
//! One check at a time, the next no sooner than a minute after; an honest neighbour with one-way
//! traffic is asked less and less often.

use super::super::Running;
use super::Quality;
use super::trials::{Ended, Order, Purpose};
use crate::config::Target;
use crate::probe::{Finding, WATCH_INTERVAL};
use babel_core::time::Instant;
use babel_core::types::LinkId;
use qos_ranker::{Band, Peer, Rate};
use speedtest::Protocol;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between checks.
const CHECK_GAP: Duration = Duration::from_secs(60);
/// The longest an honest neighbour is left alone.
const LONGEST_PEACE: Duration = Duration::from_secs(3600);
/// Octets of a check: connection and pings.
const CHECK_OCTETS: u64 = 64 * 1024;
/// A check ends by then.
const CHECK_LIMIT: Duration = Duration::from_secs(5);
/// Neighbours asked to bear witness.
const MAX_WITNESSES: usize = 3;
/// Neighbours of which it is remembered that they were honest.
const MAX_CLEARED: usize = 1024;

/// Where a check stands.
#[derive(Debug)]
struct Check {
    suspect: Peer,
    target: Target,
    /// Still to be asked; `None` while the suspect itself is.
    witnesses: Option<Vec<Peer>>,
}

/// Who is being checked, and who was found honest.
#[derive(Debug, Default)]
pub(super) struct Checks {
    running: Option<Check>,
    /// No check before.
    next: Option<Instant>,
    /// Not to be checked before, and how long that was.
    cleared: BTreeMap<Peer, (Instant, Duration)>,
}

impl Running {
    /// Looks at the counters, if it is time.
    pub(super) fn watch_links(&mut self, now: Instant) {
        let Some(mut quality) = self.quality.take() else {
            return;
        };
        if quality.watch_due <= now {
            quality.watch_due = now + WATCH_INTERVAL;
            let found = self.look_at_links(now, &mut quality);
            self.quality = Some(quality);
            for (peer, finding) in found {
                self.act_on(now, peer, finding);
            }
        } else {
            self.quality = Some(quality);
        }
    }

    /// Readings of all links that have neighbours, and what they show of whom.
    fn look_at_links(&mut self, now: Instant, quality: &mut Quality) -> Vec<(Peer, Finding)> {
        let mut parties: BTreeMap<LinkId, Vec<Peer>> = BTreeMap::new();
        for known in self.engine.neighbours(now) {
            if let Some(interface) = self.links.name(known.link) {
                let peer = Peer {
                    interface: interface.to_owned(),
                    address: known.address,
                };
                parties.entry(known.link).or_default().push(peer);
            }
        }
        quality.watch.retain(|link| parties.contains_key(&link));
        if parties.is_empty() {
            return Vec::new();
        }
        let kernel = self.kernel.socket();
        let drops = match kernel.queue_drops() {
            Ok(drops) => drops,
            Err(error) => {
                tracing::debug!("{error}");
                BTreeMap::new()
            }
        };
        let mut found = Vec::new();
        for (link, peers) in parties {
            let Some((ifindex, _)) = self.links.up(link) else {
                continue;
            };
            if quality.trials.on(link) {
                continue;
            }
            let Ok(counters) = kernel.link_counters(ifindex) else {
                continue;
            };
            let dropped = drops.get(&ifindex).copied().unwrap_or(0);
            match quality.watch.look(now, link, counters, dropped) {
                // On a shared link the counters do not say whose packets were dropped.
                Some(Finding::Saturated(rate)) if peers.len() == 1 => {
                    let finding = Finding::Saturated(rate);
                    found.extend(peers.into_iter().map(|peer| (peer, finding)));
                }
                Some(Finding::Suspect) => {
                    found.extend(peers.into_iter().map(|peer| (peer, Finding::Suspect)));
                }
                Some(Finding::Saturated(_)) | None => {}
            }
        }
        found
    }

    fn act_on(&mut self, now: Instant, peer: Peer, finding: Finding) {
        match finding {
            Finding::Saturated(rate) => {
                let Some(quality) = &mut self.quality else {
                    return;
                };
                let rate = Rate::from_bps(rate);
                tracing::debug!("{} is full at {}", peer.interface, rate.rounded());
                quality.ranker.saturated(now, &peer, rate);
                quality.changed(now);
            }
            Finding::Suspect => self.begin_check(now, peer),
        }
    }

    /// Begins to check a neighbour, unless one is being checked or it was found honest lately.
    fn begin_check(&mut self, now: Instant, suspect: Peer) {
        let Some(quality) = &self.quality else {
            return;
        };
        let checks = &quality.checks;
        let at_peace = checks.cleared.get(&suspect);
        if checks.running.is_some()
            || checks.next.is_some_and(|next| now < next)
            || at_peace.is_some_and(|(until, _)| now < *until)
        {
            return;
        }
        // iperf3 answers one client at a time, and its silence may mean that.
        let simple = |target: &&Target| target.url.protocol() != Protocol::Iperf3;
        let targets = &self.settings.quality.targets;
        let mut beyond = targets.iter().filter(|target| !target.url.is_link_test());
        let Some(target) = beyond
            .clone()
            .find(simple)
            .or_else(|| beyond.next())
            .cloned()
        else {
            return;
        };
        let has_witness = self.engine.neighbours(now).count() > 1;
        if !has_witness {
            return;
        }
        let begun = self.begin_trial(now, order(suspect.clone(), target.clone()));
        let Some(quality) = &mut self.quality else {
            return;
        };
        quality.checks.next = Some(now + CHECK_GAP);
        match begun {
            Ok(id) => {
                tracing::info!(
                    "Nothing comes back from {} on {}: test {id} looks whether anything gets \
                     through.",
                    suspect.address,
                    suspect.interface,
                );
                quality.checks.running = Some(Check {
                    suspect,
                    target,
                    witnesses: None,
                });
            }
            Err(why) => tracing::debug!("no check of {}: {why}", suspect.address),
        }
    }

    /// A test of a check ended: acquits, asks a witness, or convicts.
    pub(super) fn check_ended(&mut self, now: Instant, ended: &Ended) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        let Some(mut check) = quality.checks.running.take() else {
            return;
        };
        match check.witnesses.take() {
            None if ended.answered => {
                quality.checks.acquit(now, check.suspect);
                return;
            }
            None => check.witnesses = Some(self.witnesses(now, &check.suspect)),
            Some(_) if ended.answered => {
                self.convict(now, &check.suspect, &ended.order.peer);
                return;
            }
            Some(rest) => check.witnesses = Some(rest),
        }
        self.ask_next(now, check);
    }

    fn ask_next(&mut self, now: Instant, mut check: Check) {
        while let Some(witness) = check.witnesses.as_mut().and_then(Vec::pop) {
            let begun = self.begin_trial(now, order(witness, check.target.clone()));
            if begun.is_ok() {
                if let Some(quality) = &mut self.quality {
                    quality.checks.running = Some(check);
                }
                return;
            }
        }
        tracing::info!(
            "Target {} answers nobody: nothing is held against {}.",
            check.target.name,
            check.suspect.address,
        );
    }

    fn convict(&mut self, now: Instant, suspect: &Peer, witness: &Peer) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        tracing::warn!(
            "What is sent to {} on {} does not come back, and through {} on {} it does: a black \
             hole, used only if there is nothing else.",
            suspect.address,
            suspect.interface,
            witness.address,
            witness.interface,
        );
        quality.checks.cleared.remove(suspect);
        quality.ranker.black_hole(now, suspect);
        quality.planner.soon(now, suspect);
        quality.changed(now);
    }

    /// Other neighbours, the one to be asked first last.
    fn witnesses(&self, now: Instant, suspect: &Peer) -> Vec<Peer> {
        let standings = self.standings(now);
        let band = |peer: &Peer| {
            let of_peer = standings.iter().filter(|standing| standing.peer == *peer);
            of_peer.map(|standing| standing.band).min()
        };
        let mut all: Vec<Peer> = self
            .engine
            .neighbours(now)
            .filter_map(|known| {
                Some(Peer {
                    interface: self.links.name(known.link)?.to_owned(),
                    address: known.address,
                })
            })
            .filter(|peer| peer != suspect)
            .collect();
        all.sort_by_cached_key(|peer| (band(peer).unwrap_or(Band::Unproven), peer.clone()));
        all.truncate(MAX_WITNESSES);
        all.reverse();
        all
    }
}

impl Checks {
    /// The neighbour is honest: it is left alone for a while, longer each time.
    fn acquit(&mut self, now: Instant, suspect: Peer) {
        if self.cleared.len() >= MAX_CLEARED {
            self.cleared.retain(|_, (until, _)| *until > now);
        }
        let before = self.cleared.get(&suspect).map(|(_, peace)| *peace);
        let peace = before.map_or(CHECK_GAP, |peace| (peace * 2).min(LONGEST_PEACE));
        if self.cleared.len() < MAX_CLEARED || before.is_some() {
            self.cleared.insert(suspect, (now + peace, peace));
        }
    }
}

fn order(peer: Peer, target: Target) -> Order {
    Order {
        peer,
        target,
        bytes_limit: CHECK_OCTETS,
        time_limit: CHECK_LIMIT,
        seed: crate::identity::random_u64().unwrap_or(0),
        purpose: Purpose::Check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_neighbour_is_left_alone_longer_each_time() {
        let peer = Peer {
            interface: "wan".into(),
            address: std::net::Ipv6Addr::LOCALHOST,
        };
        let mut checks = Checks::default();
        let mut peaces = Vec::new();
        for _ in 0..9 {
            checks.acquit(Instant::ZERO, peer.clone());
            peaces.extend(checks.cleared.get(&peer).map(|(_, peace)| peace.as_secs()));
        }
        assert_eq!(peaces, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    }
}
