//! A client of the daemons' control sockets, and the lines they print.
//!
//! It knows only what stock babeld's clients know, so that a lab can run stock babeld as well.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a daemon may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// More than any answer in a lab.
const ANSWER_OCTETS: u64 = 4 << 20;

/// The metric of a route that is none.
const INFINITY: u32 = 65535;

/// A connection to a daemon.
#[derive(Debug)]
pub(super) struct Client {
    stream: BufReader<UnixStream>,
}

/// A route as a `dump` prints it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) prefix: String,
    pub(super) installed: bool,
    pub(super) metric: u32,
    /// As the neighbour advertised it.
    pub(super) refmetric: u32,
    /// What it costs the node per megabyte, if it has a price.
    pub(super) price: Option<u32>,
    pub(super) interface: String,
}

impl Client {
    /// Connects and reads the greeting.
    pub(super) fn connect(path: &Path) -> Result<Self> {
        let attempt = || -> Result<Self> {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.set_write_timeout(Some(ANSWER_LIMIT))?;
            let mut client = Self {
                stream: BufReader::new(stream),
            };
            client.answer()?;
            Ok(client)
        };
        attempt().with_context(|| format!("control socket {}", path.display()))
    }

    /// Sends a line and returns what came before the final `ok`; an error if it was another word.
    pub(super) fn ask(&mut self, line: &str) -> Result<Vec<String>> {
        let mut attempt = || {
            self.stream
                .get_mut()
                .write_all(format!("{line}\n").as_bytes())?;
            self.answer()
        };
        attempt().with_context(|| format!("asking {line:?}"))
    }

    /// The routes the daemon knows.
    pub(super) fn routes(&mut self) -> Result<Vec<Route>> {
        Ok(self
            .ask("dump")?
            .iter()
            .filter_map(|line| Route::parse(line))
            .collect())
    }

    /// The link-local address of the neighbour on an interface that leads to one only.
    pub(super) fn neighbour(&mut self, interface: &str) -> Result<String> {
        let lines = self.ask("dump")?;
        let mut addresses = lines.iter().filter_map(|line| {
            let line = line.strip_prefix("add neighbour ")?;
            (value(line, "if")? == interface).then(|| value(line, "address"))?
        });
        let address = addresses.next().map(str::to_owned);
        address.with_context(|| format!("it has no neighbour on {interface}"))
    }

    fn answer(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut limited = self.stream.by_ref().take(ANSWER_OCTETS);
        loop {
            let mut line = String::new();
            if limited.read_line(&mut line)? == 0 {
                bail!("the daemon ended the conversation");
            }
            match line.trim_end() {
                "ok" => return Ok(lines),
                "bad" => bail!("the daemon does not understand it"),
                refusal if refusal == "no" || refusal.starts_with("no ") => {
                    bail!("the daemon refused: {refusal}")
                }
                text => lines.push(text.to_owned()),
            }
        }
    }
}

impl Route {
    /// Whether it leads anywhere: a retracted route is shown for a while.
    pub(super) fn is_usable(&self) -> bool {
        self.metric < INFINITY
    }

    /// Reads a line about a route; `None` for all others.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        if words.next() != Some("add") || words.next() != Some("route") {
            return None;
        }
        let value = |key: &str| value(line, key);
        Some(Self {
            prefix: value("prefix")?.to_owned(),
            installed: value("installed")? == "yes",
            metric: value("metric")?.parse().ok()?,
            refmetric: value("refmetric")?.parse().ok()?,
            price: value("price").and_then(|price| price.parse().ok()),
            interface: value("if")?.to_owned(),
        })
    }
}

/// The word after a key; keys and values follow the kind of the object and its name.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|&word| word == key).and_then(|_| words.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_lines_are_read_with_and_without_a_price() {
        let stock = "add route 55d0 prefix 10.0.0.4/32 from 0.0.0.0/0 installed yes \
                     id 02:00:00:00:00:00:00:04 metric 192 refmetric 96 via fe80::1 if to-carol";
        let route = Route::parse(stock).expect("a route");
        assert_eq!(
            (route.prefix.as_str(), route.installed, route.metric),
            ("10.0.0.4/32", true, 192)
        );
        assert_eq!((route.price, route.interface.as_str()), (None, "to-carol"));
        let priced = Route::parse(&stock.replace(" via", " price 300 via")).expect("a route");
        assert_eq!(priced.price, Some(300));
    }

    #[test]
    fn other_lines_are_no_routes() {
        assert_eq!(
            Route::parse("add xroute 10.0.0.1/32-0.0.0.0/0 prefix 10.0.0.1/32"),
            None
        );
        assert_eq!(
            Route::parse("add route 1 prefix 10.0.0.1/32 installed yes"),
            None
        );
        assert_eq!(Route::parse(""), None);
    }
}
