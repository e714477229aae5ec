//! All measurements as text, for a file that survives a restart.
//!
//! One line for each reading, in words and values like the configuration's. A line that cannot be
//! read costs that line and no other. Ages are written, not times, so the clock matters only for
//! how long the daemon was away: far forward, and everything has run out; backwards, and half of
//! what validity was left is taken away, so that no clock can keep a measurement alive for ever.

use crate::entry::Entry;
use crate::estimate::Sticky;
use crate::history::Origin;
use crate::measurement::Component;
use crate::moment::{Lifetime, Moment};
use crate::ranker::Ranker;
use crate::report::{Peer, Pinned, Source};
use crate::ring::{Reading, Ring};
use crate::schedule::Schedule;
use babel_core::prefix::Prefix;
use babel_core::time::Instant;
use core::fmt::Write;
use core::net::Ipv6Addr;
use core::time::Duration;

const TITLE: &str = "babel-quality";
const VERSION: &str = "1";
/// Begins a line about a target's budget.
const SPENT: &str = "spent";
/// A clock set back by less than this is taken for one that stood still.
const SMALL_STEP: Duration = Duration::from_secs(60);
/// No line of ours is longer.
const LONGEST_LINE: usize = 1024;
/// For names of targets and interfaces, decoded.
const LONGEST_NAME: usize = 255;

/// The text was not written by this version of the ranker.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not measurements of this version: the first line is not \"babel-quality 1 saved TIME\"")]
pub struct InvalidState;

/// Measurements read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// With all that could be read.
    pub ranker: Ranker,
    /// Numbers of the first few lines that could not be read, from 1.
    pub bad_lines: Vec<usize>,
    /// How many lines could not be read.
    pub bad: usize,
}

impl Ranker {
    /// Everything but the goals. `wall` is the time since 1970 by the system's clock.
    pub fn to_text(&self, now: Instant, wall: Duration) -> String {
        let mut text = format!("{TITLE} {VERSION} saved {}\n", wall.as_millis());
        for (peer, known) in &self.peers {
            let who = format!("{} {}", peer.address, escaped(&peer.interface));
            if let Some(life) = known.black_hole {
                line(
                    &mut text,
                    format_args!("black-hole {who} {}", Span(life, now)),
                );
            }
            for cap in known.caps.iter() {
                let span = Span(cap.life, now);
                line(&mut text, format_args!("full {who} {} {span}", cap.value));
            }
            for (scope, entry) in &known.scopes {
                let scope = scope.map_or("-".into(), |scope| scope.to_string());
                write_entry(&mut text, &format!("{who} {scope}"), entry, now);
            }
        }
        text
    }

    /// Reads [`Ranker::to_text`] back.
    ///
    /// # Errors
    /// If the first line is not that of this version; bad lines after it are left out.
    pub fn from_text(text: &str, now: Instant, wall: Duration) -> Result<Restored, InvalidState> {
        let (away, lines) = opened(text, wall)?;
        let mut restored = Restored {
            ranker: Self::new(),
            bad_lines: Vec::new(),
            bad: 0,
        };
        for (number, line) in (2..).zip(lines) {
            let words = Words::new(line, now, away);
            let read = words.and_then(|words| words.read(&mut restored.ranker));
            if read.is_none() && spent(line).is_none() {
                restored.bad += 1;
                if restored.bad_lines.len() < 8 {
                    restored.bad_lines.push(number);
                }
            }
        }
        restored.ranker.settle(now);
        Ok(restored)
    }
}

impl Schedule {
    /// What targets have spent, as lines that follow those of [`Ranker::to_text`] in one text.
    pub fn to_text(&self, now: Instant) -> String {
        let mut text = String::new();
        for (target, age, bytes) in self.spending(now) {
            let (target, age) = (escaped(target), age.as_millis());
            line(&mut text, format_args!("{SPENT} {target} {bytes} {age}"));
        }
        text
    }

    /// Takes over what targets had spent, from the text of another life; once, before any test.
    /// Lines that cannot be read are left to [`Ranker::from_text`] to tell of.
    ///
    /// # Errors
    /// If the first line is not that of this version.
    pub fn restore(
        &mut self,
        text: &str,
        now: Instant,
        wall: Duration,
    ) -> Result<(), InvalidState> {
        let (away, lines) = opened(text, wall)?;
        for (target, bytes, age) in lines.filter_map(spent) {
            // If nobody knows how long it was, it counts for as long as it would have.
            self.restore_spending(now, target, away.age(age, Duration::ZERO), bytes);
        }
        Ok(())
    }
}

/// Reads the first line: how long the daemon was away, and the other lines.
fn opened(text: &str, wall: Duration) -> Result<(Away, core::str::Lines<'_>), InvalidState> {
    let mut lines = text.lines();
    let mut title = lines.next().unwrap_or_default().split(' ');
    let known = title.next() == Some(TITLE)
        && title.next() == Some(VERSION)
        && title.next() == Some("saved");
    let saved = title.next().and_then(|saved| saved.parse().ok());
    let saved = saved.filter(|_| known).ok_or(InvalidState)?;
    Ok((Away::between(Duration::from_millis(saved), wall), lines))
}

/// A line of what a target spent: its name, octets, and how long ago.
fn spent(line: &str) -> Option<(String, u64, Duration)> {
    let mut words = line.split(' ');
    if line.len() > LONGEST_LINE || words.next() != Some(SPENT) {
        return None;
    }
    let target = unescaped(words.next()?)?;
    let bytes = words.next()?.parse().ok()?;
    let age = Duration::from_millis(words.next()?.parse().ok()?);
    words.next().is_none().then_some((target, bytes, age))
}

fn write_entry(text: &mut String, who: &str, entry: &Entry, now: Instant) {
    for (origin, history) in &entry.histories {
        let source = written(origin);
        if let Some(life) = history.doubted {
            line(
                text,
                format_args!("doubt {who} {source} {}", Span(life, now)),
            );
        }
        let pinned = history.pinned.map_or("-", Pinned::label);
        for (component, reading) in history.readings() {
            let (name, value) = (component.label(), reading.value);
            let span = Span(reading.life, now);
            line(
                text,
                format_args!("reading {who} {source} {name} {value} {span} {pinned}"),
            );
        }
    }
    for (component, sticky) in Component::ALL.into_iter().zip(entry.published) {
        if let Some(Sticky { value, met }) = sticky {
            let name = component.label();
            line(text, format_args!("published {who} {name} {value} {met}"));
        }
    }
}

fn line(text: &mut String, words: core::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}

/// Age and validity of something, in milliseconds.
struct Span(Lifetime, Instant);

impl core::fmt::Display for Span {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (age, valid) = (self.0.age(self.1), self.0.valid());
        write!(f, "{} {}", age.as_millis(), valid.as_millis())
    }
}

/// How long the daemon was away.
#[derive(Clone, Copy, Debug)]
enum Away {
    For(Duration),
    /// The clock went back.
    Unknown,
}

impl Away {
    fn between(saved: Duration, wall: Duration) -> Self {
        match wall.checked_sub(saved) {
            Some(away) => Self::For(away),
            None if saved - wall <= SMALL_STEP => Self::For(Duration::ZERO),
            None => Self::Unknown,
        }
    }

    /// How old something is now that was `age` old when it was saved.
    fn age(self, age: Duration, valid: Duration) -> Duration {
        match self {
            Self::For(away) => age.saturating_add(away),
            Self::Unknown if age >= valid => age.saturating_add(valid),
            Self::Unknown => age.saturating_add((valid - age) / 2),
        }
    }
}

/// The words of one line, read from left to right.
struct Words<'a> {
    words: core::str::Split<'a, char>,
    now: Instant,
    away: Away,
}

impl<'a> Words<'a> {
    fn new(line: &'a str, now: Instant, away: Away) -> Option<Self> {
        (line.len() <= LONGEST_LINE).then(|| Self {
            words: line.split(' '),
            now,
            away,
        })
    }

    /// Adds what the line says; `None` if it makes no sense.
    fn read(mut self, ranker: &mut Ranker) -> Option<()> {
        let now = self.now;
        let kind = self.words.next()?;
        let peer = self.peer()?;
        match kind {
            "black-hole" => {
                let life = self.life()?;
                self.end()?;
                ranker.known(now, &peer).black_hole = Some(life);
            }
            "full" => {
                let value = self.number()?;
                let life = self.life()?;
                self.end()?;
                let caps = &mut ranker.known(now, &peer).caps;
                caps.push(Reading { value, life }, Ring::LENGTH);
            }
            "doubt" => {
                let (scope, origin) = (self.scope()?, self.origin()?);
                let life = self.life()?;
                self.end()?;
                let entry = ranker.entry(now, &peer, scope);
                entry.history(now, origin).doubted = Some(life);
            }
            "reading" => {
                let (scope, origin) = (self.scope()?, self.origin()?);
                let (component, value) = (self.component()?, self.number()?);
                let (life, pinned) = (self.life()?, self.pinned()?);
                self.end()?;
                let source = origin.source.clone();
                let history = ranker.entry(now, &peer, scope).history(now, origin);
                history.push(&source, component, Reading { value, life });
                history.pinned = pinned;
            }
            "published" => {
                let (scope, component) = (self.scope()?, self.component()?);
                let (value, met) = (self.number()?, self.number()?);
                self.end()?;
                let entry = ranker.entry(now, &peer, scope);
                let slot = entry.published.get_mut(component as usize)?;
                *slot = Some(Sticky { value, met });
            }
            _ => return None,
        }
        Some(())
    }

    fn peer(&mut self) -> Option<Peer> {
        let address: Ipv6Addr = self.words.next()?.parse().ok()?;
        let interface = unescaped(self.words.next()?)?;
        Some(Peer { interface, address })
    }

    fn scope(&mut self) -> Option<Option<Prefix>> {
        match self.words.next()? {
            "-" => Some(None),
            prefix => prefix.parse().ok().map(Some),
        }
    }

    fn origin(&mut self) -> Option<Origin> {
        let word = self.words.next()?;
        let (ranks, word) = match word.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, word),
        };
        let source = match word.split_once(':') {
            None if word == "outside" => Source::Outside,
            Some(("target", name)) => Source::Target(unescaped(name)?),
            Some(("link", name)) => Source::Link(unescaped(name)?),
            _ => return None,
        };
        let ranks = ranks && source.ranks();
        Some(Origin { source, ranks })
    }

    fn component(&mut self) -> Option<Component> {
        let word = self.words.next()?;
        Component::ALL
            .into_iter()
            .find(|component| component.label() == word)
    }

    fn number(&mut self) -> Option<u64> {
        self.words.next()?.parse().ok()
    }

    fn life(&mut self) -> Option<Lifetime> {
        let age = Duration::from_millis(self.number()?);
        let valid = Duration::from_millis(self.number()?).min(Lifetime::LONGEST);
        let age = self.away.age(age, valid);
        Some(Lifetime::new(Moment::ago(self.now, age), valid))
    }

    fn pinned(&mut self) -> Option<Option<Pinned>> {
        let word = self.words.next()?;
        let all = [Pinned::Both, Pinned::Upload, Pinned::No];
        match all.into_iter().find(|pinned| pinned.label() == word) {
            Some(pinned) => Some(Some(pinned)),
            None => (word == "-").then_some(None),
        }
    }

    fn end(&mut self) -> Option<()> {
        self.words.next().is_none().then_some(())
    }
}

fn written(origin: &Origin) -> String {
    let mark = if origin.source.ranks() && !origin.ranks {
        "!"
    } else {
        ""
    };
    match &origin.source {
        Source::Outside => format!("{mark}outside"),
        Source::Target(name) => format!("{mark}target:{}", escaped(name)),
        Source::Link(name) => format!("{mark}link:{}", escaped(name)),
    }
}

/// A name without blanks or line ends; never empty.
fn escaped(name: &str) -> String {
    let mut text = String::from("'");
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.strip_prefix('\'')?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        };
        name.push(byte);
    }
    let name = String::from_utf8(name).ok()?;
    (name.len() <= LONGEST_NAME).then_some(name)
}

#[cfg(test)]
mod tests;
