//! iperf3 servers, by the installed program.
//!
//! The program cannot mark its packets, so it talks to a relay on loopback whose sockets to the
//! server are ours: marked, bound and counted like those of every other test. What is measured is
//! what the relay counts; the program's own figures are used for what only the server knows.

mod relay;

use crate::budget::Budget;
use crate::contract::{Loss, LossSource, Outcome, Phase};
use crate::plan::Leg;
use crate::rate::Estimator;
use crate::run::{Flow, Test};
use crate::why::Why;
use relay::{Load, Relay};
use serde::Deserialize;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PROGRAM: &str = "iperf3";
/// How often the relay's counters are read.
const LOOK: Duration = Duration::from_millis(50);
/// The program's report on a test of ten seconds is some ten thousand octets.
const MOST_REPORT: u64 = 4 << 20;
/// Octets that show that payload flows; before that the two ends negotiate.
const NEGOTIATION: u64 = 8 * 1024;
/// Segments are counted, octets wanted: payload of one on Ethernet.
const SEGMENT: u64 = 1448;

/// Runs a test against an iperf3 server.
pub(crate) fn run(test: &mut Test<'_>) -> Result<Outcome, Why> {
    test.progress.at(Phase::Connect, 0);
    let connecting = |why: Why| why.during(Phase::Connect);
    let addresses = test
        .dialer
        .addresses(&test.request.url)
        .map_err(connecting)?;
    let down = direction(test, &addresses, Phase::Download, 1)?;
    let up = direction(test, &addresses, Phase::Upload, 0)?;
    let outcome = Flow::outcome(&down.flow, &up.flow)?;
    Ok(Outcome {
        idle_latency_us: down.dialled_us.into_iter().chain(up.dialled_us).min(),
        loaded_latency_us: median(up.rtts_us),
        loss: down.retransmitted.max(up.retransmitted).map(|ppm| Loss {
            ppm,
            by: LossSource::Retransmits,
        }),
        ..outcome
    })
}

/// One direction, measured.
struct Seen {
    flow: Flow,
    dialled_us: Option<u64>,
    rtts_us: Vec<u64>,
    retransmitted: Option<u32>,
}

fn direction(
    test: &mut Test<'_>,
    addresses: &[SocketAddr],
    phase: Phase,
    after: u32,
) -> Result<Seen, Why> {
    let left = test.budget.left();
    let leg = test.plan.leg(after, left);
    let leg = leg.ok_or_else(|| Why::from("too little of the time or byte limit is left"));
    let leg = leg.map_err(|why| why.during(phase))?;
    let until = test
        .plan
        .until()
        .min(Instant::now() + leg.at_most + leg.grace);
    // The relay ends last: a connection that it closed would be blamed on the server.
    let last = until + 4 * LOOK;
    // The limit of this direction holds however fast the link is.
    let share = Budget::part_of(test.budget.clone(), leg.octets + NEGOTIATION);
    let relay = Relay::start(test.dialer, addresses.to_vec(), Arc::new(share), last);
    let relay = relay.map_err(|error| Why::from(error).during(Phase::Connect))?;
    let seconds = leg.at_most.as_secs().max(1);
    let mut program = Program::start(relay.port(), seconds, phase)?;
    let watched = watch(test, &relay, &mut program, &leg, phase, until);
    // Whatever it is told, the program ends with its connections.
    drop(relay);
    let report = program.end();
    let mut seen = watched.map_err(|why| why.during(phase))?;
    if phase == Phase::Download {
        seen.retransmitted = report.and_then(|report| report.end.retransmitted());
    }
    Ok(seen)
}

fn watch(
    test: &mut Test<'_>,
    relay: &Relay,
    program: &mut Program,
    leg: &Leg,
    phase: Phase,
    until: Instant,
) -> Result<Seen, Why> {
    let now = Instant::now();
    let mut seen = Seen {
        flow: Flow {
            rates: Estimator::default(),
            from: now,
            to: now,
            early: false,
        },
        dialled_us: None,
        rtts_us: Vec::new(),
        retransmitted: None,
    };
    let length = Duration::from_secs(leg.at_most.as_secs().max(1));
    let mut flowing = false;
    loop {
        let Load {
            down,
            up,
            dialled_us,
            failure,
            since,
            last,
            kernel,
        } = relay.load();
        if let Some(why) = failure {
            return Err(why);
        }
        seen.dialled_us = dialled_us;
        let octets = if phase == Phase::Download { down } else { up };
        if let Some(from) = since.filter(|_| octets > NEGOTIATION) {
            flowing = true;
            seen.flow.from = from;
            let done = octets >= leg.octets;
            // All may have passed since the last look, and long ago.
            let to = if done { last } else { Instant::now() };
            let elapsed = to.saturating_duration_since(from);
            if elapsed <= length {
                seen.flow.rates.observe(elapsed, octets);
                seen.flow.to = to;
                if let Some(tcp) = kernel.filter(|_| phase == Phase::Upload) {
                    seen.rtts_us.push(tcp.rtt_us.into());
                    let per_million = 1_000_000 * tcp.bytes_retransmitted;
                    let ppm = per_million.checked_div(tcp.bytes_sent);
                    seen.retransmitted = ppm.and_then(|ppm| u32::try_from(ppm).ok());
                }
            }
            if done {
                return Ok(seen);
            }
        }
        test.progress.at(phase, seen.flow.rates.recent_bps());
        match program.ended()? {
            Some(_) if flowing => return Ok(seen),
            Some(said) => return Err(Why::new(format!("{PROGRAM}: {said}"))),
            None if Instant::now() >= until && !flowing => {
                return Err(match seen.dialled_us {
                    Some(_) => "the server did not begin the test in time".into(),
                    None => "the server does not answer".into(),
                });
            }
            // It measured; that the server does not say goodbye takes nothing from that.
            None if Instant::now() >= until => return Ok(seen),
            None => std::thread::sleep(LOOK),
        }
    }
}

fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// The running program; killed when dropped.
struct Program {
    child: Child,
    reader: Option<JoinHandle<String>>,
    report: Option<String>,
}

impl Program {
    fn start(port: u16, seconds: u64, phase: Phase) -> Result<Self, Why> {
        let mut command = Command::new(PROGRAM);
        command
            .args(["-J", "-c", "127.0.0.1", "-p", &port.to_string()])
            .args(["-t", &seconds.to_string()])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if phase == Phase::Download {
            command.arg("-R");
        }
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Why::from("iperf3 is not installed: apt-get install iperf3"),
            _ => Why::new(format!("starting {PROGRAM}: {error}")),
        })?;
        let reader = child.stdout.take().map(|output| {
            std::thread::spawn(move || {
                let mut text = String::new();
                let _ = output.take(MOST_REPORT).read_to_string(&mut text);
                text
            })
        });
        Ok(Self {
            child,
            reader,
            report: None,
        })
    }

    /// What it said was wrong, or nothing, once it has ended.
    fn ended(&mut self) -> Result<Option<String>, Why> {
        if self.child.try_wait()?.is_none() {
            return Ok(None);
        }
        let report = self.read();
        let said = serde_json::from_str::<Report>(&report).ok();
        Ok(Some(
            said.and_then(|report| report.error)
                .unwrap_or_else(|| "it ended without a test".into()),
        ))
    }

    /// Ends it; its report, if it made one.
    fn end(mut self) -> Option<Report> {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
        }
        serde_json::from_str(&self.read()).ok()
    }

    fn read(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            self.report = reader.join().ok();
        }
        self.report.clone().unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part of the program's report that is of use here.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
struct Report {
    error: Option<String>,
    end: End,
}

#[derive(Default, Debug, Deserialize)]
#[serde(default)]
struct End {
    sum_sent: Sum,
}

#[derive(Default, Debug, Deserialize)]
#[serde(default)]
struct Sum {
    bytes: u64,
    retransmits: Option<u64>,
}

impl End {
    /// Parts per million, as the sender counted.
    fn retransmitted(&self) -> Option<u32> {
        let octets = self.sum_sent.retransmits?.checked_mul(SEGMENT)?;
        let ppm = octets
            .checked_mul(1_000_000)?
            .checked_div(self.sum_sent.bytes)?;
        u32::try_from(ppm.min(1_000_000)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_says_is_understood_as_far_as_it_is_needed() {
        let text = r#"{"start":{},"end":{"sum_sent":{"bytes":1448000,"retransmits":10,"x":1},
            "sum_received":{"bytes":5}}}"#;
        let report: Report = serde_json::from_str(text).expect("a report");
        assert_eq!(report.end.retransmitted(), Some(10_000));
        let text = r#"{"start":{},"intervals":[],"end":{},"error":"the server is busy"}"#;
        let report: Report = serde_json::from_str(text).expect("a report");
        assert_eq!(report.error.as_deref(), Some("the server is busy"));
        assert_eq!(report.end.retransmitted(), None);
    }
}
