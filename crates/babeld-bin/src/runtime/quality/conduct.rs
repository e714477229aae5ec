//! Beginning, hearing and ending speed tests of a running node.
//!
//! Everything a test needs of the host is taken here and given back here: the pin, the process,
//! the readings of the counters. The tables of tests are [`super::trials`].

use super::super::Running;
use super::passive::Checks;
use super::trials::{Ended, Order, Purpose, Trial};
use crate::probe::{Meter, Pin, Reading, Way, Worker};
use babel_core::time::Instant;
use babel_core::types::{LinkId, NeighbourId};
use qos_ranker::{Loss, Peer, Pinned, Quality, Rate};
use speedtest::{Host, LossSource, Outcome, Phase, Request};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

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

/// Whom a test goes through.
pub(super) struct Path {
    neighbour: NeighbourId,
    link: LinkId,
    ifindex: u32,
}

impl Running {
    /// Begins a test; its number.
    pub(super) fn begin_trial(&mut self, now: Instant, order: Order) -> Result<u64, String> {
        let path = self.path(now, &order.peer)?;
        let Peer { interface, address } = &order.peer;
        let way = Way {
            ifindex: path.ifindex,
            neighbour: *address,
            ipv4: self.ipv4_next_hop(now, path.neighbour),
        };
        let Some(quality) = &mut self.quality else {
            return Err("neighbours are not ranked".into());
        };
        if quality.trials.on(path.link) {
            return Err(format!("a test runs on {interface} already"));
        }
        let source = quality.addresses.source(&order.peer, &order.target);
        let kernel = self.kernel.socket();
        let far = match order.target.url.host() {
            Host::Address(address) => Some(*address),
            Host::Neighbour | Host::Name(_) => None,
        };
        let pin = quality.pins.make(way, far.as_slice(), kernel);
        let pin = pin.map_err(|error| error.to_string())?;
        let pinned = match source {
            Some(_) => Pinned::Both,
            // The neighbour answers on the link that it is asked on.
            None if order.target.url.is_link_test() => Pinned::Both,
            None => Pinned::Upload,
        };
        let worker = match start_worker(&order, way, &pin, far, source) {
            Ok(worker) => worker,
            Err(why) => {
                quality.pins.release(pin, kernel);
                return Err(why);
            }
        };
        let id = quality.trials.take_id();
        tracing::debug!(
            "test {id} of {address} on {interface} against {}: worker {}",
            order.target.name,
            worker.pid()
        );
        let reading = self.reading(way.ifindex, pinned);
        let trial = Trial {
            id,
            order,
            neighbour: path.neighbour,
            link: path.link,
            ifindex: way.ifindex,
            pin,
            source,
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
            quality.watch.forget(trial.link);
            quality.trials.running.push(trial);
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
            if result.is_none() && !trial.meter.is_due(now) {
                index += 1;
                continue;
            }
            let reading = self.reading(trial.ifindex, trial.pinned);
            trial.meter.read(now, reading, trial.phase);
            let Some(result) = result else {
                index += 1;
                continue;
            };
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

    /// Where a neighbour is, if packets get through to it.
    pub(super) fn path(&self, now: Instant, peer: &Peer) -> Result<Path, String> {
        let Peer { interface, address } = peer;
        let link = self.links.named(interface);
        let link = link.ok_or_else(|| format!("Babel does not run on {interface}"))?;
        let up = self.links.up(link);
        let (ifindex, _) = up.ok_or_else(|| format!("{interface} is down"))?;
        let mut known = self.engine.neighbours(now);
        let neighbour = known
            .find(|known| known.link == link && known.address == *address)
            .ok_or_else(|| format!("there is no neighbour {address} on {interface}"))?;
        if neighbour.cost.is_infinite() {
            return Err(format!(
                "too few packets get through to {address} on {interface}: 'babelctl explain \
                 neighbour {address}'"
            ));
        }
        Ok(Path {
            neighbour: neighbour.id,
            link,
            ifindex,
        })
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
            let ended = quality.trials.end(now, 0, why, pins, kernel);
            if ended.order.purpose == Purpose::Rank {
                quality.planner.abandon(now, &ended.order);
            }
        }
        quality.checks = Checks::default();
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

/// Starts the process that does the work.
fn start_worker(
    order: &Order,
    way: Way,
    pin: &Pin,
    far: Option<IpAddr>,
    source: Option<IpAddr>,
) -> Result<Worker, String> {
    let no_way = match far {
        Some(IpAddr::V4(_)) => !pin.ipv4,
        Some(IpAddr::V6(_)) => !pin.ipv6,
        None => false,
    };
    if no_way {
        return Err("this kernel cannot send IPv4 to a neighbour without an IPv4 address".into());
    }
    let request = Request {
        url: order.target.url.clone(),
        peer: Some((way.neighbour, way.ifindex)),
        mark: Some(pin.mark),
        source,
        bytes_limit: order.bytes_limit,
        time_limit: order.time_limit,
        seed: order.seed,
    };
    Worker::start(&request).map_err(|error| format!("cannot start a worker: {error}"))
}
