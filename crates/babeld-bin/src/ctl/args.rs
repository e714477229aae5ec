//! The command line of `babelctl`.
//!
//! Options may stand before or after the command; what follows `lab`, `raw`, `speedtest` or `top` is
//! not this file's to understand.

use super::speedtest::Wish;
use super::top::Look;
use babel_core::prefix::{Prefix, RouteKey};
use lexopt::prelude::{Long, Short, Value};
use std::ffi::OsString;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

/// Where the daemon listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Socket {
    /// Not said: the usual places.
    Usual,
    /// A unix socket.
    Path(PathBuf),
    /// A port on `[::1]`.
    Port(u16),
}

impl Socket {
    /// A number is a port, everything else a path.
    pub fn from_word(word: OsString) -> Self {
        match word.to_str().map(str::parse) {
            Some(Ok(port)) => Self::Port(port),
            _ => Self::Path(word.into()),
        }
    }
}

/// What to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// The node.
    Status,
    /// Neighbours.
    Neighbours,
    /// Learned routes.
    Routes,
    /// Routes of our own.
    XRoutes,
    /// Interfaces.
    Interfaces,
    /// How neighbours stand.
    Quality,
    /// Speed tests.
    Tests,
    /// Changes of routes in use.
    Decisions,
}

impl Topic {
    /// As it stands on the command line and on the socket.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Neighbours => "neighbours",
            Self::Routes => "routes",
            Self::XRoutes => "xroutes",
            Self::Interfaces => "interfaces",
            Self::Quality => "quality",
            Self::Tests => "tests",
            Self::Decisions => "decisions",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "status" => Some(Self::Status),
            "neighbours" | "neighbors" => Some(Self::Neighbours),
            "routes" => Some(Self::Routes),
            "xroutes" => Some(Self::XRoutes),
            "interfaces" => Some(Self::Interfaces),
            "quality" => Some(Self::Quality),
            "tests" => Some(Self::Tests),
            "decisions" => Some(Self::Decisions),
            _ => None,
        }
    }
}

/// What the user wants. The flag is `-j`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Invocation {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// `show`.
    Show(Socket, Topic, bool),
    /// `explain`, with the line to send.
    Explain(Socket, String, bool),
    /// `explain neighbour`: one, or all.
    Diagnose(Socket, Option<Ipv6Addr>, bool),
    /// `monitor`.
    Monitor(Socket, bool),
    /// `raw`, with the line to send.
    Raw(Socket, String),
    /// `reload`, really or not.
    Reload {
        /// Where the daemon listens.
        socket: Socket,
        /// `--dry-run`
        dry_run: bool,
    },
    /// `check-config`.
    CheckConfig(Vec<OsString>),
    /// `top`.
    Top(Socket, Look),
    /// `speedtest run`.
    Speedtest(Socket, Wish),
    /// `lab`.
    Lab(Vec<String>),
}

/// The command line was not understood, and what would have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UsageError {
    /// What was not understood, in a sentence.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::error::Error for UsageError {}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads the arguments, without the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut socket = Socket::Usual;
    let mut json = false;
    let mut dry_run = false;
    let mut words: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('s') | Long("socket") => socket = Socket::from_word(parser.value()?),
            Short('j') | Long("json") => json = true,
            Long("dry-run") => dry_run = true,
            Short('h') | Long("help") => return Ok(Invocation::Help),
            Short('V') | Long("version") => return Ok(Invocation::Version),
            Value(word) => {
                let own = ["lab", "raw", "speedtest", "top"];
                let verbatim = words.is_empty() && own.iter().any(|name| word == *name);
                words.push(word);
                if verbatim {
                    words.extend(parser.raw_args()?);
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    match (words.first(), dry_run) {
        (Some(word), _) if word == "reload" => reload(words, socket, dry_run),
        (_, true) => usage("--dry-run is for `reload` only"),
        (_, false) => command(words, socket, json),
    }
}

fn command(words: Vec<OsString>, socket: Socket, json: bool) -> Result<Invocation, UsageError> {
    let mut words = words.into_iter();
    let Some(name) = words.next() else {
        return usage("what to do? A command is missing");
    };
    match name.to_string_lossy().as_ref() {
        "help" => Ok(Invocation::Help),
        "version" => Ok(Invocation::Version),
        "lab" => Ok(Invocation::Lab(text(words)?)),
        "check-config" => {
            let files: Vec<OsString> = words.collect();
            if files.is_empty() {
                return usage("check-config: which files?");
            }
            Ok(Invocation::CheckConfig(files))
        }
        "top" => Ok(Invocation::Top(socket, Look::parse(words)?)),
        "speedtest" => speedtest(words, socket, json),
        "show" => show(&text(words)?, socket, json),
        "explain" => explain(&text(words)?, socket, json),
        "monitor" => match text(words)?.as_slice() {
            [] => Ok(Invocation::Monitor(socket, json)),
            [word, ..] => usage(format!("monitor: what is `{word}`?")),
        },
        "raw" => {
            let line = text(words)?.join(" ");
            if line.contains(['\n', '\r']) {
                return usage("raw: one line at a time");
            }
            Ok(Invocation::Raw(socket, line))
        }
        other => usage(format!("there is no command `{other}`")),
    }
}

fn reload(words: Vec<OsString>, socket: Socket, flag: bool) -> Result<Invocation, UsageError> {
    match text(words.into_iter().skip(1))?.as_slice() {
        [] => Ok(Invocation::Reload {
            socket,
            dry_run: flag,
        }),
        [word] if word == "dry-run" => Ok(Invocation::Reload {
            socket,
            dry_run: true,
        }),
        [word, ..] => usage(format!("reload: what is `{word}`? It takes --dry-run")),
    }
}

fn speedtest(
    mut words: impl Iterator<Item = OsString>,
    socket: Socket,
    json: bool,
) -> Result<Invocation, UsageError> {
    match words.next() {
        Some(word) if word == "run" => {
            let wish = Wish::parse(words)?;
            let json = json || wish.json;
            Ok(Invocation::Speedtest(socket, Wish { json, ..wish }))
        }
        Some(word) => usage(format!(
            "speedtest: what is `{}`? It takes `run` or `serve`",
            word.to_string_lossy()
        )),
        None => usage("speedtest: what to do? `run` or `serve`"),
    }
}

fn show(words: &[String], socket: Socket, json: bool) -> Result<Invocation, UsageError> {
    let topics = "neighbours, routes, xroutes, interfaces, quality, tests, decisions or status";
    match words {
        [] => usage(format!("show what? {topics}")),
        [word] => match Topic::from_word(word) {
            Some(topic) => Ok(Invocation::Show(socket, topic, json)),
            None => usage(format!("show: `{word}` is none of {topics}")),
        },
        [_, word, ..] => usage(format!("show: what is `{word}`?")),
    }
}

fn explain(words: &[String], socket: Socket, json: bool) -> Result<Invocation, UsageError> {
    let prefix = |word: &String| -> Result<Prefix, UsageError> {
        word.parse()
            .map_err(|error| UsageError(format!("explain: `{word}`: {error}")))
    };
    if let [word, who] = words
        && matches!(word.as_str(), "neighbour" | "neighbor")
    {
        let who = match who.as_str() {
            "all" => None,
            // With the interface's name behind it, as `show` and `ping` have it.
            who => match who.split('%').next().unwrap_or(who).parse() {
                Ok(address) => Some(address),
                Err(_) => {
                    return usage(format!(
                        "explain neighbour: `{who}` is neither an IPv6 address nor `all`"
                    ));
                }
            },
        };
        return Ok(Invocation::Diagnose(socket, who, json));
    }
    let key = match words {
        [dst] => RouteKey::new(prefix(dst)?),
        [dst, from, src] if from == "from" => {
            match RouteKey::source_specific(prefix(dst)?, prefix(src)?) {
                Some(key) => key,
                None => return usage("explain: one prefix is IPv4 and the other IPv6"),
            }
        }
        _ => {
            return usage(
                "explain: it takes PREFIX, PREFIX from SOURCE-PREFIX, or neighbour ADDRESS",
            );
        }
    };
    Ok(Invocation::Explain(
        socket,
        format!("json explain {key}"),
        json,
    ))
}

fn text(words: impl Iterator<Item = OsString>) -> Result<Vec<String>, UsageError> {
    words
        .map(|word| {
            word.into_string()
                .map_err(|word| UsageError(format!("{} is not UTF-8", word.to_string_lossy())))
        })
        .collect()
}

fn usage<T>(text: impl Into<String>) -> Result<T, UsageError> {
    Err(UsageError(text.into()))
}

#[cfg(test)]
mod tests;
