//! Speed tests that run: each has a pin, a worker process, and the counters of its interface.
//!
//! Invariants: at most one on a link and [`crate::probe::SLOTS`] in all; a test that ends, however
//! it ends, leaves no process, rule or route; what it claims is believed only as far as the
//! interface carried it. When and whom to test is decided elsewhere.

use crate::config::Target;
use crate::node::{TestState, TestView};
use crate::probe::{Corpse, Kernel, Meter, Pin, Pins, Worker};
use babel_core::time::Instant;
use babel_core::types::{LinkId, NeighbourId};
use qos_ranker::{Peer, Pinned, Rate};
use speedtest::{Message, Outcome, Phase};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

/// Ended tests that are shown.
const REMEMBERED: usize = 16;
/// Beyond its own limit a worker has this long to say so.
const GRACE: Duration = Duration::from_secs(5);

/// What a test is to do.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Through whom.
    pub(super) peer: Peer,
    /// Against what.
    pub(super) target: Target,
    /// Octets it may spend.
    pub(super) bytes_limit: u64,
    /// It ends by then.
    pub(super) time_limit: Duration,
    /// Decides its length and payload.
    pub(super) seed: u64,
    /// What the result is for.
    pub(super) purpose: Purpose,
}

/// What a result is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To rank the neighbour.
    Rank,
    /// To see whether anything gets through at all.
    Check,
}

/// A test that runs.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) id: u64,
    pub(super) order: Order,
    pub(super) neighbour: NeighbourId,
    pub(super) link: LinkId,
    pub(super) ifindex: u32,
    pub(super) pin: Pin,
    /// The probe address that it is bound to.
    pub(super) source: Option<IpAddr>,
    pub(super) pinned: Pinned,
    pub(super) worker: Worker,
    pub(super) meter: Meter,
    pub(super) began: Instant,
    pub(super) phase: Phase,
    pub(super) rate: Rate,
    pub(super) bytes: u64,
    /// The server spoke.
    pub(super) answered: bool,
}

/// A test that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) order: Order,
    pub(super) pinned: Pinned,
    /// Octets it spent.
    pub(super) bytes: u64,
    /// The server spoke.
    pub(super) answered: bool,
    /// What was measured, or why nothing was.
    pub(super) result: Result<Outcome, String>,
}

/// All tests, and those that were.
#[derive(Debug)]
pub(super) struct Trials {
    pub(super) running: Vec<Trial>,
    /// Newest first, with the time of their end.
    ended: VecDeque<(Instant, TestView)>,
    corpses: Vec<Corpse>,
    /// Octets of tests that the schedule knows nothing of.
    pub(super) unplanned: u64,
    next_id: u64,
}

impl Trials {
    pub(super) const fn new() -> Self {
        Self {
            running: Vec::new(),
            ended: VecDeque::new(),
            corpses: Vec::new(),
            unplanned: 0,
            next_id: 1,
        }
    }

    /// Whether any runs.
    pub(super) fn any(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether one runs on this link.
    pub(super) fn on(&self, link: LinkId) -> bool {
        self.running.iter().any(|trial| trial.link == link)
    }

    /// Whether one that the schedule knows nothing of runs on this link.
    pub(super) fn unplanned_on(&self, link: LinkId) -> bool {
        let mut running = self.running.iter();
        running.any(|trial| trial.link == link && trial.order.purpose == Purpose::Check)
    }

    /// When something about them is due even if no worker speaks.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let ends = self.running.iter().map(Trial::deadline);
        let reap = (!self.corpses.is_empty()).then(|| now + Duration::from_millis(100));
        ends.chain(reap).min()
    }

    /// Waits until a worker has something to say.
    pub(super) async fn news(&self) {
        poll_fn(|context| {
            let mut ready = self.running.iter();
            match ready.any(|trial| trial.worker.poll_ready(context).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Those that run, then those that ended, newest first.
    pub(super) fn views(&self, now: Instant) -> Vec<TestView> {
        let running = self.running.iter().map(|trial| trial.view(now));
        let ended = self.ended.iter().map(|(at, view)| TestView {
            ended_ago: Some(now.since(*at)),
            ..view.clone()
        });
        running.chain(ended).collect()
    }

    /// Takes the exit status of workers that were killed.
    pub(super) fn reap(&mut self) {
        self.corpses.retain_mut(|corpse| !corpse.reap());
    }

    /// The number of the next one.
    pub(super) const fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Ends the one at `index`: its worker and its pin go.
    pub(super) fn end(
        &mut self,
        now: Instant,
        index: usize,
        result: Result<Outcome, String>,
        pins: &mut Pins,
        kernel: &mut impl Kernel,
    ) -> Ended {
        let trial = self.running.remove(index);
        let mut view = trial.view(now);
        if let Ok(outcome) = &result {
            view.bytes = outcome.bytes;
        }
        view.state = match result.clone() {
            Ok(outcome) => TestState::Done(outcome),
            Err(why) => TestState::Failed(why),
        };
        if trial.order.purpose == Purpose::Check {
            self.unplanned += view.bytes;
        }
        let ended = Ended {
            pinned: trial.pinned,
            bytes: view.bytes,
            answered: trial.answered || result.is_ok(),
            order: trial.order,
            result,
        };
        self.ended.push_front((now, view));
        self.ended.truncate(REMEMBERED);
        pins.release(trial.pin, kernel);
        self.corpses.push(trial.worker.end());
        ended
    }
}

impl Trial {
    pub(super) fn deadline(&self) -> Instant {
        self.began + self.order.time_limit + GRACE
    }

    /// Silence may be for want of a way back.
    fn with_hint(&self, why: String) -> String {
        match self.source {
            Some(source) if !self.answered => {
                format!("{why} (from {source}: is probe-prefix routed back to here?)")
            }
            _ => why,
        }
    }

    fn view(&self, now: Instant) -> TestView {
        TestView {
            id: self.id,
            peer: self.order.peer.clone(),
            target: self.order.target.name.clone(),
            pinned: self.pinned,
            bytes: self.bytes,
            bytes_limit: self.order.bytes_limit,
            elapsed: now.since(self.began),
            ended_ago: None,
            state: TestState::Running {
                phase: self.phase,
                rate: self.rate,
            },
        }
    }

    /// Takes in what the worker says; the end, if it came to one.
    pub(super) fn hear(&mut self) -> Option<Result<Outcome, String>> {
        let heard = self.worker.hear();
        for message in heard.messages {
            match message {
                Message::Progress {
                    phase,
                    bytes,
                    rate_bps,
                    ..
                } => {
                    self.phase = phase;
                    self.bytes = bytes;
                    self.rate = Rate::from_bps(rate_bps);
                    self.answered |= phase != Phase::Connect;
                }
                Message::Done(outcome) => return Some(Ok(outcome)),
                Message::Failed { why, bytes } => {
                    self.bytes = self.bytes.max(bytes);
                    return Some(Err(self.with_hint(why)));
                }
            }
        }
        heard.ended.map(Err)
    }
}
