//! Speed tests that run: each has a pin, a worker process, and the counters of its interface.
//!
//! Invariants: at most one on a link and [`crate::probe::SLOTS`] in all; a test that ends, however
//! it ends, leaves no process, rule or route; what it claims is believed only as far as the
//! interface carried it. When and whom to test is decided elsewhere.

use super::super::Running;
use crate::config::Target;
use crate::node::{TestCounters, TestState, TestView};
use crate::probe::{Corpse, Kernel, Meter, Pin, Pins, Reading, Way, Worker};
use babel_core::time::Instant;
use babel_core::types::{LinkId, NeighbourId};
use qos_ranker::{Loss, Peer, Pinned, Quality, Rate};
use speedtest::{Host, LossSource, Message, Outcome, Phase, Request};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
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
struct Trial {
    id: u64,
    order: Order,
    neighbour: NeighbourId,
    link: LinkId,
    ifindex: u32,
    pin: Pin,
    pinned: Pinned,
    worker: Worker,
    meter: Meter,
    began: Instant,
    phase: Phase,
    rate: Rate,
    bytes: u64,
    /// The server spoke.
    answered: bool,
}

/// A test that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) order: Order,
    pub(super) pinned: Pinned,
    /// The server spoke.
    pub(super) answered: bool,
    /// What was measured, or why nothing was.
    pub(super) result: Result<Outcome, String>,
}

/// All tests, and those that were.
#[derive(Debug)]
pub(super) struct Trials {
    running: Vec<Trial>,
    /// Newest first, with the time of their end.
    ended: VecDeque<(Instant, TestView)>,
    corpses: Vec<Corpse>,
    pub(super) counters: TestCounters,
    next_id: u64,
}

impl Trials {
    pub(super) const fn new() -> Self {
        Self {
            running: Vec::new(),
            ended: VecDeque::new(),
            corpses: Vec::new(),
            counters: TestCounters {
                run: 0,
                skipped: 0,
                failed: 0,
                bytes: 0,
            },
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

    /// Adds one that just began.
    fn begin(&mut self, trial: Trial) {
        self.next_id += 1;
        self.running.push(trial);
    }

    /// Ends the one at `index`: its worker and its pin go.
    fn end(
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
        self.counters.bytes += view.bytes;
        match &result {
            Ok(_) => self.counters.run += 1,
            Err(_) => self.counters.failed += 1,
        }
        let ended = Ended {
            pinned: trial.pinned,
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
    fn deadline(&self) -> Instant {
        self.began + self.order.time_limit + GRACE
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
    fn hear(&mut self) -> Option<Result<Outcome, String>> {
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
                    self.bytes = bytes;
                    return Some(Err(why));
                }
            }
        }
        heard.ended.map(Err)
    }
}

/// What an outcome says of quality. What TCP sent again is not loss: a sender that looks for the
/// limit of a link finds it by losing.
pub(super) fn quality_of(outcome: &Outcome) -> Quality {
    let latency = outcome.idle_latency_us.or(outcome.loaded_latency_us);
    let echoes = outcome.loss.filter(|loss| loss.by == LossSource::Echo);
    Quality {
        download: outcome.download_bps.map(Rate::from_bps),
        upload: outcome.upload_bps.map(Rate::from_bps),
        latency: latency.map(Duration::from_micros),
        loss: echoes.map(|loss| Loss::from_ppm(loss.ppm)),
    }
}

impl Running {
    /// Begins a test; its number.
    pub(super) fn begin_trial(&mut self, now: Instant, order: Order) -> Result<u64, String> {
        let Peer { interface, address } = &order.peer;
        let link = self.links.named(interface);
        let link = link.ok_or_else(|| format!("Babel does not run on {interface}"))?;
        let (ifindex, _) = self
            .links
            .up(link)
            .ok_or_else(|| format!("{interface} is down"))?;
        let neighbour = self
            .engine
            .neighbours(now)
            .find(|known| known.link == link && known.address == *address)
            .map(|known| known.id)
            .ok_or_else(|| format!("there is no neighbour {address} on {interface}"))?;
        let way = Way {
            ifindex,
            neighbour: *address,
            ipv4: self.ipv4_next_hop(now, neighbour),
        };
        let literal = match order.target.url.host() {
            Host::Address(address) => Some(*address),
            Host::Neighbour | Host::Name(_) => None,
        };
        let Some(quality) = &mut self.quality else {
            return Err("neighbours are not ranked".into());
        };
        if quality.trials.on(link) {
            return Err(format!("a test runs on {interface} already"));
        }
        let source = quality.probe_source(&order.peer, &order.target);
        let kernel = self.kernel.socket();
        let pin = quality
            .pins
            .make(way, literal.as_slice(), kernel)
            .map_err(|error| error.to_string())?;
        let pinned = match source {
            Some(_) => Pinned::Both,
            None if order.target.url.is_link_test() => Pinned::Both,
            None => Pinned::Upload,
        };
        let request = Request {
            url: order.target.url.clone(),
            peer: Some((*address, ifindex)),
            mark: Some(pin.mark),
            source,
            bytes_limit: order.bytes_limit,
            time_limit: order.time_limit,
            seed: order.seed,
        };
        let no_way = literal.is_some_and(|far| if far.is_ipv4() { !pin.ipv4 } else { !pin.ipv6 });
        let started = if no_way {
            Err("this kernel cannot send IPv4 to a neighbour without an IPv4 address".into())
        } else {
            Worker::start(&request).map_err(|error| format!("cannot start a worker: {error}"))
        };
        let worker = match started {
            Ok(worker) => worker,
            Err(why) => {
                quality.pins.release(pin, kernel);
                return Err(why);
            }
        };
        let id = quality.trials.next_id;
        tracing::debug!(
            "test {id} of {address} on {interface} against {}: worker {}",
            order.target.name,
            worker.pid()
        );
        let reading = self.reading(ifindex, pinned);
        let trial = Trial {
            id,
            order,
            neighbour,
            link,
            ifindex,
            pin,
            pinned,
            worker,
            meter: Meter::new(now, reading),
            began: now,
            phase: Phase::Connect,
            rate: Rate::ZERO,
            bytes: 0,
            answered: false,
        };
        if let Some(quality) = &mut self.quality {
            quality.trials.begin(trial);
            quality.watch.forget(link);
        }
        Ok(id)
    }

    /// Hears the workers; the tests that ended.
    pub(super) fn hear_trials(&mut self, now: Instant) -> Vec<Ended> {
        let mut all = Vec::new();
        let Some(mut quality) = self.quality.take() else {
            return all;
        };
        quality.trials.reap();
        let mut index = 0;
        while let Some(trial) = quality.trials.running.get_mut(index) {
            let result = match trial.hear() {
                None => self.why_to_end(now, trial).map(Err),
                result => result,
            };
            let over = result.is_some();
            if over || trial.meter.is_due(now) {
                let reading = self.reading(trial.ifindex, trial.pinned);
                trial.meter.read(now, reading);
            }
            let Some(result) = result else {
                index += 1;
                continue;
            };
            let reading = self.reading(trial.ifindex, trial.pinned);
            let result = result.and_then(|outcome| match trial.meter.refutes(&outcome, reading) {
                None => Ok(outcome),
                Some(why) => Err(format!("the result cannot be: {why}")),
            });
            quality.watch.forget(trial.link);
            let kernel = self.kernel.socket();
            let pins = &mut quality.pins;
            all.push(quality.trials.end(now, index, result, pins, kernel));
        }
        self.quality = Some(quality);
        all
    }

    /// Ends all tests, for no fault of theirs.
    pub(super) fn stop_trials(&mut self, now: Instant, why: &str) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        while quality.trials.any() {
            let kernel = self.kernel.socket();
            let pins = &mut quality.pins;
            let why = Err(why.to_owned());
            let _ = quality.trials.end(now, 0, why, pins, kernel);
        }
        quality.trials.reap();
    }

    /// Why a test cannot go on.
    fn why_to_end(&self, now: Instant, trial: &Trial) -> Option<String> {
        if now >= trial.deadline() {
            return Some("the worker did not end in time".into());
        }
        let device = self.links.up(trial.link).map(|(ifindex, _)| ifindex);
        if device != Some(trial.ifindex) {
            return Some("the interface went down".into());
        }
        let known = self.engine.neighbour(now, trial.neighbour);
        known.is_none().then(|| "the neighbour went away".into())
    }

    /// The next hop that the IPv4 routes of a neighbour have.
    fn ipv4_next_hop(&self, now: Instant, neighbour: NeighbourId) -> Option<Ipv4Addr> {
        let mut routes = self.engine.routes(now);
        routes.find_map(|route| match route.next_hop {
            IpAddr::V4(next_hop) if route.neighbour == neighbour => Some(next_hop),
            _ => None,
        })
    }

    /// The counters that a test moves. What comes back may come by any link, unless it is pinned.
    fn reading(&mut self, ifindex: u32, pinned: Pinned) -> Reading {
        let devices: Vec<u32> = match pinned {
            Pinned::Both => vec![ifindex],
            Pinned::Upload | Pinned::No => {
                let up = self.links.all_up().into_iter();
                up.filter_map(|link| Some(self.links.up(link)?.0)).collect()
            }
        };
        let mut reading = Reading::default();
        for device in devices {
            // A device that just went is noticed elsewhere.
            let Ok(counters) = self.kernel.socket().link_counters(device) else {
                continue;
            };
            reading.received += counters.received_octets;
            if device == ifindex {
                reading.sent = counters.sent_octets;
            }
        }
        reading
    }
}
