//! Payload in one direction, reports in the other, both ends verified.
//!
//! The sender cuts random octets into chunks and keeps at most a second's worth unacknowledged,
//! so that a slow link can be left soon. The receiver says every 50 ms what it has, may ask for
//! the end, and checks count and hash of the whole. Either side ends by its own clock.

use super::Cursor;
use super::report::Report;
use crate::payload::{Payload, Sum, Tally};
use crate::pipe::Pipe;
use crate::why::Why;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// The longest chunk.
pub(crate) const MOST_CHUNK: usize = 64 * 1024;
/// Between two reports.
const REPORT_EVERY: Duration = Duration::from_millis(50);
/// What may always be on its way.
const LEAST_WINDOW: u64 = 32 * 1024;
/// The window is twice what was acknowledged in this time.
const WINDOW_SPAN: Duration = Duration::from_millis(500);
const MOST_WINDOW: u64 = 64 << 20;

/// When a transfer ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Octets of payload, exactly: one more is a breach.
    pub(crate) octets: u64,
    /// When the sender stops, or the receiver asks it to.
    pub(crate) until: Instant,
    /// How much later the end must have come.
    pub(crate) grace: Duration,
}

/// What the caller of a transfer wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Go,
    Stop,
}

/// Told what was received, or acknowledged, since the beginning; at least every 50 ms.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(Duration, u64) -> Verdict;

/// Sends `payload` until a limit or the other side says stop; returns when it was verified.
pub(crate) fn send(
    pipe: &mut Pipe,
    payload: &mut Payload,
    limits: Limits,
    watch: Watch<'_>,
) -> Result<(), Why> {
    let begun = Instant::now();
    let mut sender = Sender::default();
    loop {
        if let Some(sum) = sender.take_reports(pipe)? {
            return sender.verify(sum);
        }
        let now = Instant::now();
        let verdict = watch(now - begun, sender.acknowledged);
        if sender.ended.is_none()
            && (verdict == Verdict::Stop
                || sender.stop
                || sender.tally.octets() >= limits.octets
                || now >= limits.until)
            && sender.at >= sender.out.len()
        {
            sender.end(now + limits.grace);
        }
        // A chunk half sent has to be finished first; that too must come to an end.
        let last = sender.ended.unwrap_or(limits.until + limits.grace);
        if now >= last {
            return Err("the test could not be ended in time: the other side stalls".into());
        }
        let fresh = sender.fill(payload, limits.octets);
        let blocked = sender.write(pipe)?;
        if blocked || !fresh {
            let next = if sender.ended.is_none() {
                limits.until.max(now)
            } else {
                last
            };
            pipe.wait(blocked, next.min(now + REPORT_EVERY))?;
        }
    }
}

/// Receives until the end, verified; asks for the end at a limit or when `watch` says so.
pub(crate) fn receive(pipe: &mut Pipe, limits: Limits, watch: Watch<'_>) -> Result<(), Why> {
    let begun = Instant::now();
    let last = limits.until + limits.grace;
    let mut receiver = Receiver::default();
    let mut buffer = vec![0; 2 * MOST_CHUNK];
    let mut next_report = begun;
    loop {
        let mut sum = None;
        match pipe.read(&mut buffer) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => {
                let octets = buffer.get(..count).unwrap_or_default();
                sum = receiver.take(octets, limits.octets)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let now = Instant::now();
                if now < next_report {
                    pipe.wait(!receiver.out.is_empty(), next_report)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        let now = Instant::now();
        if let Some(sum) = sum {
            watch(now - begun, receiver.tally.octets());
            return receiver.confirm(pipe, sum, now + limits.grace);
        }
        if now >= last {
            return Err("the test could not be ended in time: the other side goes on".into());
        }
        if now >= next_report {
            next_report = now + REPORT_EVERY;
            let verdict = watch(now - begun, receiver.tally.octets());
            receiver.stop |= verdict == Verdict::Stop || now >= limits.until;
            receiver.report();
        }
        receiver.flush(pipe)?;
    }
}

#[derive(Default)]
struct Sender {
    tally: Tally,
    acknowledged: u64,
    /// Acknowledged, over the last moment.
    recent: VecDeque<(Instant, u64)>,
    stop: bool,
    /// The end is written; by when it must be confirmed.
    ended: Option<Instant>,
    reports: Vec<u8>,
    out: Vec<u8>,
    at: usize,
}

impl Sender {
    fn take_reports(&mut self, pipe: &mut Pipe) -> Result<Option<Sum>, Why> {
        let mut buffer = [0; Report::FINAL];
        loop {
            // Not an octet beyond the report: after the last one a command may follow.
            let needed = Report::missing(&self.reports);
            let space = buffer.get_mut(..needed).unwrap_or_default();
            match pipe.read(space) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => self.reports.extend(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if let Some(report) = Report::decode(&mut self.reports)? {
                match report {
                    Report::Progress(octets) => self.acknowledge(octets),
                    Report::Stop(octets) => {
                        self.acknowledge(octets);
                        self.stop = true;
                    }
                    Report::Final(sum) if self.ended.is_some() => return Ok(Some(sum)),
                    Report::Final(_) => {
                        return Err("the other side confirms an end that was not yet".into());
                    }
                }
            }
        }
    }

    /// No more is believed than was sent.
    fn acknowledge(&mut self, octets: u64) {
        let octets = octets.min(self.tally.octets());
        self.acknowledged = self.acknowledged.max(octets);
        let now = Instant::now();
        self.recent.push_back((now, self.acknowledged));
        while self.recent.len() > 64
            || self
                .recent
                .front()
                .is_some_and(|(then, _)| now - *then > WINDOW_SPAN)
        {
            self.recent.pop_front();
        }
    }

    fn window(&self) -> u64 {
        let before = self.recent.front().map_or(0, |(_, octets)| *octets);
        // Until the first moment has passed all of it is recent.
        let before = if self.recent.len() < 3 { 0 } else { before };
        (2 * (self.acknowledged - before)).clamp(LEAST_WINDOW, MOST_WINDOW)
    }

    /// The next chunk, if one may go; false: not now.
    fn fill(&mut self, payload: &mut Payload, most: u64) -> bool {
        let window = self.window();
        let sent = self.tally.octets();
        if self.at < self.out.len()
            || self.ended.is_some()
            || self.stop
            || sent - self.acknowledged >= window
        {
            return false;
        }
        let room = (window / 8).clamp(4096, MOST_CHUNK as u64);
        let length = room.min(most.saturating_sub(sent));
        if length == 0 {
            return false;
        }
        let length = usize::try_from(length).unwrap_or(MOST_CHUNK);
        self.out.clear();
        self.out.resize(4 + length, 0);
        self.at = 0;
        if let Some((header, body)) = self.out.split_first_chunk_mut::<4>() {
            *header = u32::try_from(length).unwrap_or(0).to_be_bytes();
            payload.fill(body);
            self.tally.add(body);
        }
        true
    }

    fn end(&mut self, confirmed_by: Instant) {
        let sum = self.tally.sum();
        self.out.clear();
        self.at = 0;
        self.out.extend([0; 4]);
        self.out.extend(sum.octets.to_be_bytes());
        self.out.extend(sum.digest);
        self.ended = Some(confirmed_by);
    }

    /// Writes what there is; true: the rest must wait.
    fn write(&mut self, pipe: &mut Pipe) -> Result<bool, Why> {
        while let Some(rest) = self.out.get(self.at..).filter(|rest| !rest.is_empty()) {
            match pipe.write(rest) {
                Ok(count) => self.at += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        match pipe.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            done => Ok(done.map(|()| false)?),
        }
    }

    fn verify(&self, received: Sum) -> Result<(), Why> {
        match self.tally.sum() {
            sent if sent == received => Ok(()),
            sent if sent.octets != received.octets => Err(Why::new(format!(
                "{} octets were sent, and the other side says that it received {}",
                sent.octets, received.octets
            ))),
            _ => Err("the other side received other octets than were sent".into()),
        }
    }
}

#[derive(Default)]
struct Receiver {
    tally: Tally,
    /// Octets of the current chunk still to come.
    chunk: usize,
    /// A header, or the end, in parts.
    partial: Vec<u8>,
    ending: bool,
    stop: bool,
    out: Vec<u8>,
}

/// The length of the end after its zero header: a count and a hash.
const END: usize = 40;

impl Receiver {
    /// The sender's sum once the end has come.
    fn take(&mut self, mut octets: &[u8], most: u64) -> Result<Option<Sum>, Why> {
        while !octets.is_empty() {
            if self.chunk > 0 {
                let (body, rest) = octets.split_at(self.chunk.min(octets.len()));
                self.tally.add(body);
                self.chunk -= body.len();
                octets = rest;
                if self.tally.octets() > most {
                    return Err("the other side sends more than it was asked for".into());
                }
                continue;
            }
            let needed = if self.ending { END } else { 4 } - self.partial.len();
            let (part, rest) = octets.split_at(needed.min(octets.len()));
            self.partial.extend(part);
            octets = rest;
            if part.len() < needed {
                break;
            }
            if let Some(sum) = self.header()? {
                return Ok(Some(sum));
            }
        }
        Ok(None)
    }

    /// A header or an end is complete.
    fn header(&mut self) -> Result<Option<Sum>, Why> {
        let partial = std::mem::take(&mut self.partial);
        let mut cursor = Cursor(&partial);
        if self.ending {
            let (Some(octets), Some(digest)) = (cursor.take(), cursor.take()) else {
                return Err("the end is too short".into());
            };
            let octets = u64::from_be_bytes(octets);
            return Ok(Some(Sum { octets, digest }));
        }
        let length = cursor.take().map_or(0, u32::from_be_bytes);
        match usize::try_from(length) {
            Ok(0) => self.ending = true,
            Ok(length) if length <= MOST_CHUNK => self.chunk = length,
            _ => return Err("the other side sends something that is no chunk".into()),
        }
        Ok(None)
    }

    /// At most one report waits: a reader that does not read costs nothing.
    fn report(&mut self) {
        if self.out.is_empty() {
            let octets = self.tally.octets();
            self.out = if self.stop {
                Report::Stop(octets).encode()
            } else {
                Report::Progress(octets).encode()
            };
        }
    }

    fn flush(&mut self, pipe: &mut Pipe) -> Result<(), Why> {
        while !self.out.is_empty() {
            match pipe.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        match pipe.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            done => Ok(done?),
        }
    }

    /// Checks the sender's sum against ours and says ours.
    fn confirm(mut self, pipe: &mut Pipe, sum: Sum, until: Instant) -> Result<(), Why> {
        let ours = self.tally.sum();
        self.out.extend(Report::Final(ours).encode());
        pipe.write_all_by(&self.out, until)?;
        match ours == sum {
            true => Ok(()),
            false if ours.octets != sum.octets => Err(Why::new(format!(
                "{} octets came, and the other side says that it sent {}",
                ours.octets, sum.octets
            ))),
            false => Err("other octets came than the other side says that it sent".into()),
        }
    }
}
