//! A steady stream of pings, and what became of each: how traffic fared while something changed.
//!
//! Beside each ping goes a probe that dies at the first hop, so that the record also says through
//! whom traffic went at that moment. The destination must be at least two hops away.

use super::ping::{AnswerKind, FAR, Prober};
use anyhow::{Context, Result};
use netns::Namespace;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between pings.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// A ping without an answer for this long is lost.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// The stream's echo identifier.
const IDENTIFIER: u16 = 0x5ab1;

/// A running stream; it ends when dropped.
#[derive(Debug)]
pub(super) struct Stream {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    record: Mutex<Record>,
}

/// What happened so far; ping `n` has sequence `n` modulo 2^16.
#[derive(Debug, Default)]
struct Record {
    pings: Vec<Ping>,
    looks: Vec<Look>,
}

#[derive(Clone, Copy, Debug)]
struct Ping {
    sent: Instant,
    answered: bool,
}

/// Traffic went through `first_hop` when the probe was sent.
#[derive(Clone, Copy, Debug)]
struct Look {
    sent: Instant,
    first_hop: IpAddr,
}

/// How a stretch of the stream fared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Losses {
    pub(super) sent: usize,
    pub(super) lost: usize,
    /// The longest time between two pings that were answered.
    pub(super) longest_gap: Duration,
}

impl Stream {
    /// Starts pinging from a namespace.
    pub(super) fn start(inside: &Namespace, destination: IpAddr) -> Result<Self> {
        let prober = Prober::open(inside, destination, IDENTIFIER)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("pings".to_owned())
            .spawn(move || theirs.run(&prober))
            .context("starting the stream of pings")?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Through whom the latest probe went.
    pub(super) fn first_hop(&self) -> Option<IpAddr> {
        self.shared.record().looks.last().map(|look| look.first_hop)
    }

    /// When traffic first went through `hop` after `since`.
    pub(super) fn moved_to(&self, hop: IpAddr, since: Instant) -> Option<Instant> {
        let record = self.shared.record();
        let mut looks = record.looks.iter().filter(|look| look.sent >= since);
        looks
            .find(|look| look.first_hop == hop)
            .map(|look| look.sent)
    }

    /// When the first ping was answered that went out after `since`.
    pub(super) fn answered_after(&self, since: Instant) -> Option<Instant> {
        let record = self.shared.record();
        let mut pings = record.pings.iter().filter(|ping| ping.sent >= since);
        pings.find(|ping| ping.answered).map(|ping| ping.sent)
    }

    /// How the pings fared that were sent in `from..to`; final once `to` is [`GRACE`] ago.
    pub(super) fn losses(&self, from: Instant, to: Instant) -> Losses {
        losses(&self.shared.record().pings, from, to)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, prober: &Prober) {
        let mut next = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            self.send(prober);
            next += EVERY;
            while let Some(answer) = prober.receive(next) {
                self.record()
                    .answered(answer.kind, answer.sequence, answer.from);
            }
        }
    }

    fn send(&self, prober: &Prober) {
        let sent = Instant::now();
        let sequence = {
            let mut record = self.record();
            record.pings.push(Ping {
                sent,
                answered: false,
            });
            (record.pings.len() - 1) as u16
        };
        // No route is one way of losing a ping.
        let _ = prober.send(sequence, FAR);
        let _ = prober.send(sequence, 1);
    }
}

impl Record {
    fn answered(&mut self, kind: AnswerKind, sequence: u16, from: IpAddr) {
        // The youngest ping of that sequence number.
        let behind = (self.pings.len().wrapping_sub(1) as u16).wrapping_sub(sequence);
        let index = self.pings.len().checked_sub(1 + usize::from(behind));
        let Some(ping) = index.and_then(|index| self.pings.get_mut(index)) else {
            return;
        };
        match kind {
            AnswerKind::Echo if ping.sent.elapsed() <= GRACE => ping.answered = true,
            AnswerKind::Echo => (),
            AnswerKind::Expired => self.looks.push(Look {
                sent: ping.sent,
                first_hop: from,
            }),
        }
    }
}

fn losses(pings: &[Ping], from: Instant, to: Instant) -> Losses {
    let mut losses = Losses {
        sent: 0,
        lost: 0,
        longest_gap: Duration::ZERO,
    };
    // Before the first answer, the first ping stands for one.
    let mut last_answered = pings.first().map(|ping| ping.sent);
    for ping in pings {
        if ping.answered {
            let gap = last_answered.map_or(Duration::ZERO, |last| ping.sent - last);
            if ping.sent >= from && ping.sent < to {
                losses.longest_gap = losses.longest_gap.max(gap);
            }
            last_answered = Some(ping.sent);
        }
        if ping.sent >= from && ping.sent < to {
            losses.sent += 1;
            losses.lost += usize::from(!ping.answered);
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_count_the_stretch_and_the_gap_reaches_back_before_it() {
        let start = Instant::now();
        let at = |number: u32| start + EVERY * number;
        let ping = |number| Ping {
            sent: at(number),
            answered: !(3..=5).contains(&number),
        };
        let pings: Vec<Ping> = (0..10).map(ping).collect();
        let expected = Losses {
            sent: 7,
            lost: 3,
            longest_gap: EVERY * 4,
        };
        assert_eq!(losses(&pings, at(3), at(20)), expected);
        let expected = Losses {
            sent: 2,
            lost: 0,
            longest_gap: EVERY,
        };
        assert_eq!(losses(&pings, at(1), at(3)), expected);
    }

    #[test]
    fn answers_find_their_ping_across_the_wrap_of_the_sequence() {
        let ping = Ping {
            sent: Instant::now(),
            answered: false,
        };
        let mut record = Record {
            pings: vec![ping; 65_540],
            looks: Vec::new(),
        };
        let someone = IpAddr::from([10, 0, 0, 1]);
        record.answered(AnswerKind::Echo, 3, someone);
        record.answered(AnswerKind::Echo, 65_535, someone);
        let answered: Vec<usize> = (0..record.pings.len())
            .filter(|&index| record.pings[index].answered)
            .collect();
        assert_eq!(answered, [65_535, 65_539]);
        let mut short = Record {
            pings: vec![ping; 2],
            looks: Vec::new(),
        };
        short.answered(AnswerKind::Expired, 9, someone);
        assert!(short.looks.is_empty(), "an answer to nothing we sent");
    }
}
