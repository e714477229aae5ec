//! `babelctl speedtest run`: asks the daemon for a speed test through one neighbour, follows it,
//! and shows what came of it.
//!
//! The daemon runs the test; interrupting this program does not end it.

use super::args::{Socket, UsageError};
use super::connection::Connection;
use super::output::{Output, Style};
use super::parse_json;
use crate::figures::{milliseconds, percent, rate, volume};
use crate::local::quality::TestDocument;
use anyhow::{Context, Result, bail};
use lexopt::prelude::{Long, Short, Value};
use std::ffi::OsString;
use std::io::Write;
use std::net::Ipv6Addr;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between questions how the test stands.
const PAUSE: Duration = Duration::from_millis(200);
/// For the daemon to begin what it agreed to.
const BEGIN_LIMIT: Duration = Duration::from_secs(15);
/// No test runs longer, whatever the daemon says.
const END_LIMIT: Duration = Duration::from_secs(600);
/// Columns of the progress bar itself.
const BAR: usize = 24;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Through this neighbour.
    pub address: Ipv6Addr,
    /// On this interface.
    pub interface: String,
    /// Against this target; `None`: the daemon chooses.
    pub target: Option<String>,
    /// The result as JSON.
    pub json: bool,
}

impl Wish {
    /// Reads what follows `speedtest run`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let (mut address, mut interface, mut target, mut json) = (None, None, None, false);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("neighbour" | "neighbor") => {
                    let word = word(&mut parser)?;
                    let (text, link) = word.split_once('%').unwrap_or((&word, ""));
                    address = Some(text.parse().map_err(|_| {
                        UsageError::new(format!("speedtest run: `{word}` is not an IPv6 address"))
                    })?);
                    if !link.is_empty() {
                        interface = Some(link.to_owned());
                    }
                }
                Long("interface") => interface = Some(word(&mut parser)?),
                Long("target") => target = Some(word(&mut parser)?),
                Short('j') | Long("json") => json = true,
                Value(word) => {
                    let word = word.to_string_lossy();
                    return Err(UsageError::new(format!("speedtest run: what is `{word}`?")));
                }
                other => return Err(other.unexpected().into()),
            }
        }
        let lacks = |what| UsageError::new(format!("speedtest run: which {what}"));
        let wish = Self {
            address: address.ok_or_else(|| lacks("neighbour? --neighbour ADDRESS"))?,
            interface: interface.ok_or_else(|| lacks("interface? --interface NAME"))?,
            target,
            json,
        };
        let one_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        let target = wish.target.as_deref().unwrap_or("x");
        if !one_word(&wish.interface) || !one_word(target) {
            return Err(UsageError::new(
                "speedtest run: the names of interfaces and targets are single words",
            ));
        }
        Ok(wish)
    }

    /// The line for the control socket.
    fn line(&self) -> String {
        let target = self.target.as_ref().map(|name| format!(" target {name}"));
        format!(
            "speedtest neighbour {} if {}{}",
            self.address,
            self.interface,
            target.unwrap_or_default()
        )
    }

    fn is_for(&self, test: &TestDocument) -> bool {
        let target = self.target.as_ref().is_none_or(|name| *name == test.target);
        test.address == self.address && test.interface == self.interface && target
    }
}

/// Runs the test and shows it.
pub(super) fn run<W: Write>(
    socket: &Socket,
    wish: &Wish,
    output: &mut Output<W>,
) -> Result<ExitCode> {
    let mut connection = Connection::open(socket)?;
    let before = tests(&mut connection)?.iter().map(|test| test.id).max();
    begin(&mut connection, wish)?;
    let mut progress = Progress::new(output.width(), wish.json);
    let started = Instant::now();
    let mut begun = false;
    loop {
        let all = tests(&mut connection)?;
        let mut fresh = all.iter().filter(|test| Some(test.id) > before);
        let Some(test) = fresh.find(|test| wish.is_for(test)) else {
            if begun || started.elapsed() > BEGIN_LIMIT {
                bail!(
                    "babeld at {} has no such test after all: see its log",
                    connection.place()
                );
            }
            sleep(PAUSE);
            continue;
        };
        begun = true;
        if test.state != "running" {
            progress.end(output)?;
            return finish(test, wish, output);
        }
        progress.show(test, output)?;
        if started.elapsed() > END_LIMIT {
            bail!("the test does not end: see babeld's log, and `babelctl show tests`");
        }
        sleep(PAUSE);
    }
}

fn begin(connection: &mut Connection, wish: &Wish) -> Result<()> {
    let end = connection.ask(&wish.line(), |_| Ok(()))?;
    match end.as_str() {
        "ok" => Ok(()),
        "bad" => bail!(
            "{} at {} does not test: its socket is read-only (`local-path-readwrite`, -G), or it is \
             another babeld",
            connection.version(),
            connection.place()
        ),
        no => bail!("not begun: {}", no.trim_start_matches("no ")),
    }
}

fn tests(connection: &mut Connection) -> Result<Vec<TestDocument>> {
    let mut lines = Vec::new();
    let end = connection.ask("json tests", |line| {
        lines.push(line.to_owned());
        Ok(())
    })?;
    if end != "ok" {
        bail!(
            "{} at {} knows nothing of speed tests: it is another babeld, or too old",
            connection.version(),
            connection.place()
        );
    }
    lines.iter().map(|line| parse_json(line)).collect()
}

/// What came of it.
fn finish<W: Write>(test: &TestDocument, wish: &Wish, output: &mut Output<W>) -> Result<ExitCode> {
    if wish.json {
        let text = serde_json::to_string(test).context("cannot write JSON")?;
        output.text(&format!("{text}\n"))?;
    } else {
        for (title, text) in facts(test) {
            output.styled(Style::Bold, &format!("{title:<9}"))?;
            output.text(&format!(" {text}\n"))?;
        }
    }
    if test.state == "done" {
        return Ok(ExitCode::SUCCESS);
    }
    let why = test.why.as_deref().unwrap_or("babeld does not say why");
    bail!("the test failed: {why}")
}

fn facts(test: &TestDocument) -> Vec<(&'static str, String)> {
    let quality = &test.quality;
    let mut facts = vec![(
        "through",
        format!(
            "{}%{}, target {}",
            test.address, test.interface, test.target
        ),
    )];
    let rates = [
        ("download", quality.download_bits_per_second),
        ("upload", quality.upload_bits_per_second),
    ];
    facts.extend(rates.map(|(title, value)| {
        let text = value.map_or_else(|| "not measured".into(), rate);
        (title, text)
    }));
    if test.state != "done" {
        facts.truncate(1);
    }
    let latency = |value: Option<f64>, when| value.map(|ms| format!("{} {when}", milliseconds(ms)));
    let idle = latency(quality.latency_ms, "idle");
    let loaded = latency(test.loaded_latency_ms, "under load");
    let latencies: Vec<String> = idle.into_iter().chain(loaded).collect();
    if !latencies.is_empty() {
        facts.push(("latency", latencies.join(", ")));
    }
    if let Some(loss) = quality.loss_percent {
        let by = match test.loss_by.as_deref() {
            Some("retransmits") => " (what TCP sent again)",
            _ => "",
        };
        facts.push(("loss", format!("{}{by}", percent(loss))));
    }
    let early = match test.early_stop {
        Some(true) => "; the rates were steady before a limit was reached",
        _ => "",
    };
    let (spent, limit) = (volume(test.bytes), volume(test.bytes_limit));
    let seconds = test.elapsed_seconds;
    facts.push((
        "spent",
        format!("{spent} of {limit} in {seconds:.1} s{early}"),
    ));
    facts.push(("pinned", pinned(&test.pinned).into()));
    if let Some(sure) = test.confidence_percent {
        facts.push(("sure", format!("{sure} %")));
    }
    facts
}

/// What `pinned` means.
fn pinned(word: &str) -> &str {
    match word {
        "both" => "both ways: every packet went and came through this neighbour",
        "upload" => {
            "upload only: what came back came by the far side's choice; see `probe-prefix` in \
             babeld(8)"
        }
        "no" => "neither way: this says nothing of the neighbour",
        other => other,
    }
}

/// A bar on a terminal; a line for each phase elsewhere; nothing beside JSON.
#[derive(Debug)]
struct Progress {
    width: Option<usize>,
    silent: bool,
    phase: String,
}

impl Progress {
    const fn new(width: Option<usize>, silent: bool) -> Self {
        Self {
            width,
            silent,
            phase: String::new(),
        }
    }

    fn show<W: Write>(&mut self, test: &TestDocument, output: &mut Output<W>) -> Result<()> {
        let phase = test.phase.as_deref().unwrap_or_default();
        if self.silent {
            return Ok(());
        }
        if let Some(width) = self.width {
            let text: String = bar(test).chars().take(width.saturating_sub(1)).collect();
            output.text(&format!("\r\x1b[K{text}"))?;
        } else if phase != self.phase {
            self.phase = phase.to_owned();
            let text = format!(
                "{:.1} s: {phase}, {} spent\n",
                test.elapsed_seconds,
                volume(test.bytes)
            );
            output.text(&text)?;
        }
        output.flush()
    }

    /// Makes way for the result.
    fn end<W: Write>(&self, output: &mut Output<W>) -> Result<()> {
        if self.width.is_some() && !self.silent {
            output.text("\r\x1b[K")?;
        }
        Ok(())
    }
}

/// `download  [######            ]  48 Mbit/s  25 MB of 100 MB  3.2 s`
pub(super) fn bar(test: &TestDocument) -> String {
    let share = test.bytes as f64 / test.bytes_limit.max(1) as f64;
    // A share of a few dozen columns: never out of range.
    let full = ((share * BAR as f64) as usize).min(BAR);
    let current = match test.rate_bits_per_second {
        None | Some(0) => String::new(),
        Some(now) => rate(now),
    };
    format!(
        "{:<8}  [{}{}]  {current:>11}  {} of {}  {:.1} s",
        test.phase.as_deref().unwrap_or_default(),
        "#".repeat(full),
        " ".repeat(BAR - full),
        volume(test.bytes),
        volume(test.bytes_limit),
        test.elapsed_seconds
    )
}

fn word(parser: &mut lexopt::Parser) -> Result<String, UsageError> {
    let word = parser.value()?;
    word.into_string()
        .map_err(|word| UsageError::new(format!("{} is not UTF-8", word.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wish, UsageError> {
        Wish::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_wish_names_neighbour_and_interface_in_either_way() {
        for line in [
            "--neighbour fe80::1 --interface eth0",
            "--interface eth0 --neighbor fe80::1",
            "--neighbour fe80::1%eth0",
        ] {
            let wish = read(line).expect(line);
            assert_eq!(wish.line(), "speedtest neighbour fe80::1 if eth0");
        }
        let wish = read("--neighbour fe80::1%eth0 --target paris -j").expect("a wish");
        assert_eq!(
            wish.line(),
            "speedtest neighbour fe80::1 if eth0 target paris"
        );
        assert!(wish.json);
        for (line, fault) in [
            ("", "--neighbour"),
            ("--neighbour fe80::1", "--interface"),
            ("--interface eth0", "--neighbour"),
            ("--neighbour bob --interface eth0", "`bob`"),
            ("fe80::1", "`fe80::1`"),
            ("--speed", "--speed"),
            ("--target", "--target"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(fault), "{line:?}: {error}");
        }
        let spaced = ["--neighbour", "fe80::1", "--interface", "eth0 target x"];
        assert!(Wish::parse(spaced.map(OsString::from)).is_err());
    }

    #[test]
    fn the_bar_fills_with_what_is_spent() {
        let mut test: TestDocument = parse_json(
            "{\"id\":1,\"address\":\"fe80::1\",\"if\":\"eth0\",\"target\":\"t\",\
             \"state\":\"running\",\"pinned\":\"both\",\"bytes\":25000000,\
             \"bytes_limit\":100000000,\"elapsed_seconds\":3.2,\"phase\":\"download\",\
             \"rate_bits_per_second\":48000000,\"valid_seconds\":1.0}",
        )
        .expect("a document");
        assert_eq!(
            bar(&test),
            "download  [######                  ]    48 Mbit/s  25 MB of 100 MB  3.2 s"
        );
        // More than it may, or nothing to spend: full or empty, and no panic.
        test.bytes = u64::MAX;
        assert!(bar(&test).contains(&"#".repeat(BAR)));
        (test.bytes, test.bytes_limit) = (0, 0);
        assert!(bar(&test).contains(&" ".repeat(BAR)));
    }
}
