//! The client of our own protocol: connect, idle round trips, loss, download, upload.

use super::pings::Pinger;
use super::transfer::{self, Limits, Verdict};
use super::{Command, Direction, Hello, Status, Welcome, train};
use crate::contract::{Loss, LossSource, Outcome, Phase};
use crate::payload::{Payload, random};
use crate::pipe::Pipe;
use crate::rate::Estimator;
use crate::run::{Flow, Test};
use crate::tcpinfo::Asker;
use crate::url::Protocol;
use crate::why::Why;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Idle round trips that are enough.
const IDLE_PINGS: usize = 10;

/// Runs a test against our own responder.
pub(crate) fn run(test: &mut Test<'_>) -> Result<Outcome, Why> {
    test.progress.at(Phase::Connect, 0);
    let mut session = Session::open(test).map_err(|why| why.during(Phase::Connect))?;
    let idle = session.idle(test).map_err(|why| why.during(Phase::Idle))?;
    let loss = session.train(test).map_err(|why| why.during(Phase::Loss))?;
    let down = session
        .leg(test, Direction::Down, 1)
        .map_err(|why| why.during(Phase::Download))?;
    let up = session
        .leg(test, Direction::Up, 0)
        .map_err(|why| why.during(Phase::Upload))?;
    let loaded = |flow: &Flow| session.pinger.median_us(flow.from, flow.to);
    let loaded_latency_us = loaded(&down).max(loaded(&up));
    let outcome = Flow::outcome(&down, &up)?;
    let loss = loss.or_else(|| retransmitted(session.pipe.socket()));
    session.pipe.close();
    Ok(Outcome {
        idle_latency_us: idle,
        loaded_latency_us,
        loss,
        ..outcome
    })
}

struct Session {
    pipe: Pipe,
    pinger: Pinger,
    to: SocketAddr,
    ours: [u8; 16],
    welcome: Welcome,
}

impl Session {
    fn open(test: &Test<'_>) -> Result<Self, Why> {
        let by = test.plan.connected_by();
        let addresses = test.dialer.addresses(&test.request.url)?;
        let socket = test.dialer.connect_any(&addresses, by)?;
        // The one that answered: pings and datagrams go to no other.
        let to = socket.peer_addr()?;
        let mut pipe = secured(test, socket)?;
        pipe.settle(by)?;
        let ours = random()?;
        pipe.write_all_by(&Hello::Session { random: ours }.encode(), by)?;
        let mut answer = [0; Welcome::LENGTH];
        pipe.read_all(&mut answer, by)?;
        let welcome = Welcome::decode(&answer)
            .ok_or("what answers there is no speed-test server of ours (version 1)")?;
        match welcome.status {
            Status::Ready => {}
            Status::Busy => return Err("the server is busy with other tests".into()),
            Status::Spent => {
                return Err("the server gave this address its share for this hour".into());
            }
        }
        let beside = test
            .dialer
            .connect(to, by.saturating_duration_since(Instant::now()))?;
        let mut beside = secured(test, beside)?;
        beside.settle(by)?;
        Ok(Self {
            pipe,
            pinger: Pinger::start(beside, welcome.token, test.plan.until())?,
            to,
            ours,
            welcome,
        })
    }

    /// The median round trip while nothing else flows.
    fn idle(&mut self, test: &mut Test<'_>) -> Result<Option<u64>, Why> {
        test.progress.at(Phase::Idle, 0);
        let begun = Instant::now();
        while self.pinger.count() < IDLE_PINGS && begun.elapsed() < test.plan.idle() {
            std::thread::sleep(Duration::from_millis(20));
        }
        match self.pinger.median_us(begun, Instant::now()) {
            // Slow rather than dead: the test itself will tell.
            None if test.plan.idle() < Duration::from_secs(1) => Ok(None),
            None => {
                std::thread::sleep(Duration::from_secs(1).min(test.plan.idle()));
                Ok(self.pinger.median_us(begun, Instant::now()))
            }
            some => Ok(some),
        }
    }

    fn train(&mut self, test: &mut Test<'_>) -> Result<Option<Loss>, Why> {
        let count = test.plan.train();
        if self.welcome.echo_port == 0 || count == 0 {
            return Ok(None);
        }
        test.progress.at(Phase::Loss, 0);
        let mut to = self.to;
        to.set_port(self.welcome.echo_port);
        let socket = test.dialer.datagrams(to)?;
        let until = test
            .plan
            .until()
            .min(Instant::now() + train::EVERY * count * 2);
        let names = (self.welcome.token, &self.welcome.secret);
        Ok(train::measure(&socket, names, count, &test.budget, until)?)
    }

    fn leg(&mut self, test: &mut Test<'_>, way: Direction, after: u32) -> Result<Flow, Why> {
        let left = test.budget.left().min(self.welcome.most_octets);
        let leg = test
            .plan
            .leg(after, left)
            .ok_or("too little of the time or byte limit is left")?;
        let command = Command {
            direction: way,
            most_ms: u32::try_from((leg.at_most + leg.grace).as_millis()).unwrap_or(u32::MAX),
            most_octets: leg.octets,
        };
        let begun = Instant::now();
        let limits = Limits {
            octets: leg.octets,
            until: begun + leg.at_most,
            grace: leg.grace,
        };
        let phase = match way {
            Direction::Down => Phase::Download,
            Direction::Up => Phase::Upload,
        };
        self.pipe.write_all_by(&command.encode(), limits.until)?;
        let mut rates = Estimator::default();
        let mut ended = None;
        let mut early = false;
        let progress = &mut test.progress;
        let mut watch = |elapsed: Duration, octets: u64| {
            if ended.is_some() {
                return Verdict::Stop;
            }
            rates.observe(elapsed, octets);
            progress.at(phase, rates.recent_bps());
            early = elapsed >= leg.at_least && rates.is_steady();
            // What flows after the decision is the tail of the queue, not the link's rate.
            if early || octets >= leg.octets || elapsed >= leg.at_most {
                ended = Some(Instant::now());
                return Verdict::Stop;
            }
            Verdict::Go
        };
        match way {
            Direction::Down => transfer::receive(&mut self.pipe, limits, &mut watch)?,
            Direction::Up => {
                let (ours, theirs) = (&self.ours, &self.welcome.random);
                let mut payload = Payload::new(ours, theirs, way.purpose());
                transfer::send(&mut self.pipe, &mut payload, limits, &mut watch)?;
            }
        }
        Ok(Flow {
            from: begun,
            to: ended.unwrap_or_else(Instant::now),
            rates,
            early,
        })
    }
}

/// What our kernel sent again, where no datagram told.
fn retransmitted(socket: &std::net::TcpStream) -> Option<Loss> {
    let seen = Asker::new(socket).ok()?.ask()?;
    let ppm = seen.bytes_retransmitted.checked_mul(1_000_000)?;
    Some(Loss {
        ppm: u32::try_from(ppm.checked_div(seen.bytes_sent)?).ok()?,
        by: LossSource::Retransmits,
    })
}

/// In TLS where the URL says so.
fn secured(test: &Test<'_>, socket: std::net::TcpStream) -> Result<Pipe, Why> {
    let budget = test.budget.clone();
    match test.request.url.protocol() {
        #[cfg(feature = "tls")]
        Protocol::Babels(pin) => {
            let tls = crate::tls::pinned_client(pin)?;
            Ok(Pipe::tls(socket, budget, tls)?)
        }
        #[cfg(not(feature = "tls"))]
        Protocol::Babels(_) => Err("this build has no TLS (feature `tls`)".into()),
        _ => Ok(Pipe::plain(socket, budget)?),
    }
}
