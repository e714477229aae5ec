//! A client of the control socket, ours and stock's.

use crate::peers::Peer;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// More than any answer in a test.
const ANSWER_OCTETS: u64 = 4 << 20;

impl Peer {
    /// Sends a line to the daemon's control socket; the lines before the final `ok`, or an error.
    pub fn ask(&self, line: &str) -> Result<Vec<String>> {
        let path = self.control.as_deref();
        let path = path.with_context(|| format!("{} has no control socket", self.kind))?;
        ask(path, line)
    }

    /// The words after each of `keys` on the routes to `prefix`, in use or not; `None` where a
    /// route's line lacks the key.
    pub fn route_words(&self, prefix: &str, key: &str) -> Result<Vec<Option<String>>> {
        let lines = self.ask("dump")?;
        let lines = lines.iter().filter(|line| {
            line.starts_with("add route ") && word_after(line, "prefix") == Some(prefix)
        });
        Ok(lines
            .map(|line| word_after(line, key).map(str::to_owned))
            .collect())
    }
}

/// The word after `key` on a line.
pub fn word_after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|&word| word == key).and_then(|_| words.next())
}

fn ask(path: &Path, line: &str) -> Result<Vec<String>> {
    let attempt = || -> Result<Vec<String>> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        let mut stream = BufReader::new(stream);
        answer(&mut stream).context("greeting")?;
        stream.get_mut().write_all(format!("{line}\n").as_bytes())?;
        answer(&mut stream)
    };
    attempt().with_context(|| format!("asking {line:?} at {}", path.display()))
}

fn answer(stream: &mut BufReader<UnixStream>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut limited = stream.take(ANSWER_OCTETS);
    loop {
        let mut line = String::new();
        if limited.read_line(&mut line)? == 0 {
            bail!("the daemon ended the conversation after {lines:?}");
        }
        match line.trim_end() {
            "ok" => return Ok(lines),
            refusal if refusal == "bad" || refusal == "no" || refusal.starts_with("no ") => {
                bail!("the daemon answered {refusal:?}")
            }
            text => lines.push(text.to_owned()),
        }
    }
}
