//! Statements about measuring neighbours and ranking by it: `qos-goal`, `speedtest-target`,
//! `probe-…`, `measure` (design §5).

use super::error::ConfigError;
use super::lexer::{Line, Word, shown};
use super::parse_interface::neighbour;
use super::quality::{Measure, PROBE_SLOTS, ProbeMark, QualityOption, Target};
use super::statement::Command;
use super::value::parse_integer;
use babel_core::prefix::Family;
use qos_ranker::{Goal, Peer, Quality};
use speedtest::{Url, UrlError};
use std::time::Duration;

/// Between tests through one neighbour, unless it is said.
const INTERVAL: Duration = Duration::from_secs(3600);
/// A year: what is further apart is not measured, and what is older is not known.
const LONGEST: u32 = 31_536_000;
/// Octets a day for the tests against one target, unless it is said.
const DAILY_BUDGET: u64 = 2_000_000_000;
/// A measurement from outside counts for so long, unless it is said.
const VALID: Duration = Duration::from_secs(3600);
/// The name of a target, in octets.
const LONGEST_NAME: usize = 32;
/// Words for the components of a quality.
const COMPONENTS: [&str; 4] = ["download", "upload", "latency", "loss"];

/// Options of the node about measuring; `None` if `name` is none of them.
pub(super) fn option(
    line: &mut Line<'_>,
    name: &str,
) -> Result<Option<QualityOption>, ConfigError> {
    Ok(Some(match name {
        "qos-goal" => QualityOption::Goal(goal(line)?),
        "speedtest-target" => target(line)?,
        "unproven-penalty" => {
            QualityOption::UnprovenPenalty(line.integer16(name, 0..=u16::MAX - 1)?)
        }
        "probe-prefix" => probe_prefix(line)?,
        "probe-mark" => QualityOption::ProbeMark(probe_mark(line)?),
        "probe-table" => QualityOption::ProbeTable(probe_table(line)?),
        // Between the kernel's own rules: 0 is for local addresses, 32766 for the main table.
        "probe-priority" => QualityOption::ProbePriority(line.integer32(name, 1..=32_765)?),
        "quality-file" => QualityOption::QualityFile(line.path(name)?),
        _ => return Ok(None),
    }))
}

/// `measure neighbour ADDRESS if NAME [ip PREFIX] COMPONENT… [valid S]`, in any order.
pub(super) fn measure(line: &mut Line<'_>) -> Result<Measure, ConfigError> {
    let mut who = Who::default();
    let (mut prefix, mut quality, mut valid) = (None, Quality::NONE, VALID);
    while !line.at_end() {
        let word = line.word("what was measured")?;
        match word.text.as_str() {
            "ip" => prefix = Some(line.prefix("ip")?.0),
            "valid" => valid = whole_seconds(line, "valid")?,
            _ if who.take(line, &word)? || component(line, &word, &mut quality)? => {}
            _ => {
                return Err(stray(
                    line,
                    &word,
                    "measure",
                    &["neighbour", "if", "ip", "valid"],
                ));
            }
        }
    }
    let peer = who.peer(line, "measure")?;
    if quality.is_empty() {
        return Err(line.missing("a result ('download', 'upload', 'latency' or 'loss')"));
    }
    Ok(Measure {
        peer,
        prefix,
        quality,
        valid,
    })
}

/// `flush measurements [neighbour ADDRESS if NAME]`, after its two words.
pub(super) fn flush(line: &mut Line<'_>) -> Result<Command, ConfigError> {
    if line.at_end() {
        return Ok(Command::FlushMeasurements(None));
    }
    let (peer, _) = one_neighbour(line, "flush measurements", false)?;
    Ok(Command::FlushMeasurements(Some(peer)))
}

/// `speedtest neighbour ADDRESS if NAME [target NAME]`
pub(super) fn speedtest(line: &mut Line<'_>) -> Result<Command, ConfigError> {
    let (peer, target) = one_neighbour(line, "speedtest", true)?;
    Ok(Command::Speedtest { peer, target })
}

/// A neighbour, and a target if there may be one.
fn one_neighbour(
    line: &mut Line<'_>,
    statement: &str,
    with_target: bool,
) -> Result<(Peer, Option<String>), ConfigError> {
    let mut who = Who::default();
    let mut target = None;
    while !line.at_end() {
        let word = line.word("'neighbour ADDRESS if NAME'")?;
        match word.text.as_str() {
            "target" if with_target => target = Some(target_name(line, "target")?),
            _ if who.take(line, &word)? => {}
            _ => {
                return Err(stray(
                    line,
                    &word,
                    statement,
                    &["neighbour", "if", "target"],
                ));
            }
        }
    }
    Ok((who.peer(line, statement)?, target))
}

/// `neighbour ADDRESS if NAME`, so far.
#[derive(Default)]
struct Who {
    address: Option<std::net::Ipv6Addr>,
    interface: Option<String>,
}

impl Who {
    /// Takes the value of `word`, if it is one of these.
    fn take(&mut self, line: &mut Line<'_>, word: &Word) -> Result<bool, ConfigError> {
        match word.text.as_str() {
            "neighbour" | "neighbor" => self.address = Some(neighbour(line, "neighbour")?),
            "if" => self.interface = Some(line.interface_name("if")?.text),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn peer(self, line: &Line<'_>, statement: &str) -> Result<Peer, ConfigError> {
        let lacks = |what| line.missing(&format!("the {what} of '{statement}'"));
        let address = self
            .address
            .ok_or_else(|| lacks("neighbour ('neighbour ADDRESS')"))?;
        let interface = self
            .interface
            .ok_or_else(|| lacks("neighbour's interface ('if NAME')"))?;
        Ok(Peer { interface, address })
    }
}

fn goal(line: &mut Line<'_>) -> Result<Goal, ConfigError> {
    let (mut prefix, mut quality) = (None, Quality::NONE);
    while !line.at_end() {
        let word = line.word("a goal")?;
        match word.text.as_str() {
            "ip" => prefix = Some(line.prefix("ip")?.0),
            _ if component(line, &word, &mut quality)? => {}
            _ => return Err(stray(line, &word, "qos-goal", &["ip"])),
        }
    }
    Ok(Goal { prefix, quality })
}

fn target(line: &mut Line<'_>) -> Result<QualityOption, ConfigError> {
    let name = target_name(line, "speedtest-target")?;
    let word = line.string("the URL of the target")?;
    if word.text == "none" {
        return Ok(QualityOption::NoTarget(name));
    }
    let url: Url = word
        .text
        .parse()
        .map_err(|error: UrlError| line.error(&word, format!("not a target's URL: {error}")))?;
    let mut target = Target {
        name,
        url,
        prefix: None,
        interval: INTERVAL,
        daily_budget: DAILY_BUDGET,
    };
    while !line.at_end() {
        let word = line.word("an option of the target")?;
        match word.text.as_str() {
            "ip" => target.prefix = Some(line.prefix("ip")?.0),
            "interval" => target.interval = whole_seconds(line, "interval")?,
            "daily-budget" => target.daily_budget = octets(line, "daily-budget")?,
            other => {
                let reason = format!("'{}' is not an option of a target", shown(other));
                return Err(line.unknown(&word, reason, &["ip", "interval", "daily-budget"]));
            }
        }
    }
    Ok(QualityOption::Target(target))
}

/// A name that stands well in tables, in labels and on lines of a file.
fn target_name(line: &mut Line<'_>, option: &str) -> Result<String, ConfigError> {
    let word = line.word(&format!("the target's name for '{option}'"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if word.text.len() > LONGEST_NAME || !word.text.chars().all(plain) {
        let takes =
            format!("'{option}' takes up to {LONGEST_NAME} letters, digits, '-', '_' and '.'");
        return Err(line.bad(&word, "is not a target's name", &takes));
    }
    Ok(word.text)
}

fn component(line: &mut Line<'_>, word: &Word, quality: &mut Quality) -> Result<bool, ConfigError> {
    let name = word.text.as_str();
    match name {
        "download" => quality.download = Some(parsed(line, name, "a rate")?),
        "upload" => quality.upload = Some(parsed(line, name, "a rate")?),
        "latency" => quality.latency = Some(line.milliseconds(name)?),
        "loss" => quality.loss = Some(parsed(line, name, "a percentage")?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// A value whose type knows what it takes.
fn parsed<T>(line: &mut Line<'_>, option: &str, what: &str) -> Result<T, ConfigError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let word = line.word(&format!("the value of '{option}'"))?;
    word.text.parse().map_err(|error| {
        let text = shown(&word.text);
        line.error(
            &word,
            format!("'{text}' is not {what} for '{option}': {error}"),
        )
    })
}

fn whole_seconds(line: &mut Line<'_>, option: &str) -> Result<Duration, ConfigError> {
    let seconds = line.integer32(option, 1..=LONGEST)?;
    Ok(Duration::from_secs(u64::from(seconds)))
}

/// Octets, with K, M, G or T for thousands.
fn octets(line: &mut Line<'_>, option: &str) -> Result<u64, ConfigError> {
    let word = line.word(&format!("the octets for '{option}'"))?;
    let units = [
        ('k', 1_000),
        ('m', 1_000_000),
        ('g', 1_000_000_000),
        ('t', 1_000_000_000_000),
    ];
    let last = word.text.chars().last().map(|c| c.to_ascii_lowercase());
    let unit = units.iter().find(|(letter, _)| last == Some(*letter));
    let digits = match unit {
        Some(_) => word.text.get(..word.text.len() - 1).unwrap_or_default(),
        None => &word.text,
    };
    let number: Option<u64> = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten();
    number
        .and_then(|number| number.checked_mul(unit.map_or(1, |(_, unit)| *unit)))
        .ok_or_else(|| {
            let takes = format!(
                "'{option}' takes a whole number of octets, with K, M, G or T for thousands, as \
                 in 500M"
            );
            line.bad(&word, "is not a number of octets", &takes)
        })
}

fn probe_prefix(line: &mut Line<'_>) -> Result<QualityOption, ConfigError> {
    let word = line.word("the prefix for 'probe-prefix'")?;
    if word.text == "none" {
        return Ok(QualityOption::NoProbePrefix);
    }
    let prefix = line.prefix_of(&word, "probe-prefix")?;
    let most = prefix.family().bits() - PROBE_SLOTS.ilog2() as u8;
    if prefix.plen() > most {
        let takes = format!(
            "'probe-prefix' takes room for {PROBE_SLOTS} addresses: a length of at most {} (IPv4) \
             or {} (IPv6)",
            Family::V4.bits() - 2,
            Family::V6.bits() - 2
        );
        return Err(line.bad(&word, "is too small", &takes));
    }
    if prefix.plen() < 8 || prefix.is_martian() {
        let takes = "'probe-prefix' takes addresses that a host can have and nobody else uses";
        return Err(line.bad(&word, "cannot be used", takes));
    }
    Ok(QualityOption::ProbePrefix(prefix))
}

fn probe_mark(line: &mut Line<'_>) -> Result<ProbeMark, ConfigError> {
    let word = line.word("VALUE/MASK for 'probe-mark'")?;
    let takes = format!(
        "'probe-mark' takes VALUE/MASK, such as {}: {PROBE_SLOTS} marks from VALUE on, none of \
         them zero, must fit the bits of MASK",
        ProbeMark::default()
    );
    let half = |text| u32::try_from(parse_integer(text).ok()?).ok();
    let halves = word.text.split_once('/');
    let halves = halves.and_then(|(value, mask)| Some((half(value)?, half(mask)?)));
    match halves {
        None => Err(line.bad(&word, "is not a mark", &takes)),
        Some((value, mask)) => {
            ProbeMark::new(value, mask).ok_or_else(|| line.bad(&word, "does not fit", &takes))
        }
    }
}

fn probe_table(line: &mut Line<'_>) -> Result<u32, ConfigError> {
    const RESERVED: std::ops::RangeInclusive<u32> = 253..=255;
    let most = u32::MAX - PROBE_SLOTS;
    let (first, word) = line.integer_word("probe-table", 1..=i64::from(most))?;
    let first = u32::try_from(first).unwrap_or(most);
    if (first..first + PROBE_SLOTS).any(|table| RESERVED.contains(&table)) {
        let takes = format!(
            "'probe-table' takes the first of {PROBE_SLOTS} tables that nobody else uses, and 253 \
             to 255 are the kernel's"
        );
        return Err(line.bad(&word, "cannot be used", &takes));
    }
    Ok(first)
}

fn stray(line: &Line<'_>, word: &Word, statement: &str, others: &[&str]) -> ConfigError {
    let reason = format!("'{}' is not a word of '{statement}'", shown(&word.text));
    let mut known = others.to_vec();
    if matches!(statement, "measure" | "qos-goal") {
        known.extend(COMPONENTS);
    }
    line.unknown(word, reason, &known)
}
