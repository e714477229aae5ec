//! Round trips on a connection of their own, beside the test: idle, then under load.
//!
//! A connection of its own, because behind the payload of the test a ping would measure our own
//! socket's queue.

use super::{Hello, Token};
use crate::pipe::{Pipe, soon};
use crate::why::Why;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Octets of a ping and of its answer.
pub(crate) const LENGTH: usize = 16;
const EVERY: Duration = Duration::from_millis(50);
/// A ping not answered by then ends the pings: it was seconds late on a connection that does not
/// lose.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers kept.
const MOST: usize = 4096;

type Answers = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// A thread that pings until it is dropped.
#[derive(Debug)]
pub(crate) struct Pinger {
    answers: Answers,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pinger {
    /// Says which session it belongs to, and begins.
    pub(crate) fn start(mut pipe: Pipe, token: Token, until: Instant) -> Result<Self, Why> {
        pipe.write_all_by(&Hello::Pings { token }.encode(), soon(PATIENCE, until))?;
        let answers = Answers::default();
        let stop = Arc::new(AtomicBool::new(false));
        let shared = (answers.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("pings".into())
            .spawn(move || run(pipe, &shared.0, &shared.1, until))?;
        Ok(Self {
            answers,
            stop,
            thread: Some(thread),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The median round trip of what was sent between the two, in microseconds.
    pub(crate) fn median_us(&self, from: Instant, to: Instant) -> Option<u64> {
        let mut trips: Vec<Duration> = self
            .lock()
            .iter()
            .filter(|(sent, _)| (from..to).contains(sent))
            .map(|(_, trip)| *trip)
            .collect();
        trips.sort_unstable();
        let median = trips.get(trips.len() / 2)?;
        u64::try_from(median.as_micros()).ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Duration)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut pipe: Pipe, answers: &Answers, stop: &AtomicBool, until: Instant) {
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
        let sent = Instant::now();
        let mut ping = [0; LENGTH];
        if let Some(front) = ping.first_chunk_mut() {
            *front = number.to_be_bytes();
        }
        let mut answer = [0; LENGTH];
        let late = soon(PATIENCE, until);
        let done = pipe
            .write_all_by(&ping, late)
            .and_then(|()| read_unless(&mut pipe, &mut answer, late, stop));
        if done.is_err() || answer != ping {
            return;
        }
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() < MOST {
            answers.push((sent, sent.elapsed()));
        }
        drop(answers);
        number += 1;
        // The end is noticed soon, because the pause is short.
        std::thread::sleep(EVERY);
    }
}

/// As `read_all`, in steps short enough to notice `stop`.
fn read_unless(
    pipe: &mut Pipe,
    into: &mut [u8; LENGTH],
    until: Instant,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    use std::io::{ErrorKind, Read};
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match pipe.read(rest) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => got += count,
            Err(_) if stop.load(Ordering::Relaxed) => return Err(ErrorKind::Interrupted.into()),
            Err(error) if Instant::now() < until => {
                pipe.retry(error, false, soon(EVERY * 2, until))
                    .or_else(|error| match error.kind() {
                        ErrorKind::TimedOut => Ok(()),
                        _ => Err(error),
                    })?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
