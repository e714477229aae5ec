//! The process that runs one test for the daemon: a request on its standard input, messages on
//! its standard output.
//!
//! It ends when the test does, at once when its standard input closes (the daemon is gone or has
//! lost interest), and soon after the time limit whatever a test may hang in. Nobody else hears
//! of it.

use crate::contract::{Message, Request};
use crate::run::run;
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request is some hundred octets.
const MOST_REQUEST: u64 = 64 * 1024;
/// How much later than its limit a test is ended from outside.
const PATIENCE: Duration = Duration::from_secs(2);
/// Routing comes first.
const NICENESS: i32 = 10;

/// Does what the module says; for `main` to return.
pub fn worker() -> ExitCode {
    // Not granted: the test competes with the daemon, and is still right.
    let _ = rustix::process::nice(NICENESS);
    let voice = Arc::new(Voice::default());
    let request = match read_request() {
        Ok(request) => request,
        Err(why) => {
            voice.say(&Message::Failed { why, bytes: 0 });
            return ExitCode::FAILURE;
        }
    };
    let limit = request.time_limit.saturating_add(PATIENCE);
    let watchers = [
        spawn("input", watch_input),
        spawn("clock", {
            let voice = voice.clone();
            move || watch_clock(limit, &voice)
        }),
    ];
    if let Some(error) = watchers.into_iter().find_map(Result::err) {
        // Unwatched it would not be bounded.
        let why = format!("connect: starting a thread: {error}");
        voice.say(&Message::Failed { why, bytes: 0 });
        return ExitCode::FAILURE;
    }
    run(&request, &mut |message| voice.say(&message));
    ExitCode::SUCCESS
}

fn read_request() -> Result<Request, String> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(MOST_REQUEST)
        .read_line(&mut line)
        .map_err(|error| format!("reading the request: {error}"))?;
    serde_json::from_str(&line).map_err(|error| format!("the request is not understood: {error}"))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.into());
    thread.spawn(work).map(drop)
}

/// Ends the process when nobody holds the other end any more.
fn watch_input() {
    let mut ignored = [0; 1024];
    loop {
        match io::stdin().lock().read(&mut ignored) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
            _ => {}
        }
    }
    std::process::exit(1);
}

fn watch_clock(limit: Duration, voice: &Voice) {
    std::thread::sleep(limit);
    voice.say(&Message::Failed {
        why: "the time limit is reached".into(),
        bytes: 0,
    });
    std::process::exit(1);
}

/// Standard output, a line at a time; silent after the end.
#[derive(Debug, Default)]
struct Voice {
    ended: Mutex<bool>,
}

impl Voice {
    fn say(&self, message: &Message) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return;
        }
        *ended = !matches!(message, Message::Progress { .. });
        let Ok(mut line) = serde_json::to_string(message) else {
            return;
        };
        line.push('\n');
        let mut output = io::stdout().lock();
        if output
            .write_all(line.as_bytes())
            .and_then(|()| output.flush())
            .is_err()
        {
            // Nobody listens.
            std::process::exit(1);
        }
    }
}
