//! A conversation with a daemon over its control socket, blocking, with limits.

use super::args::Socket;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// The daemon's silence that means it will not answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Octets of one line of an answer.
const MAX_LINE: u64 = 1 << 20;
/// Where a daemon listens by our convention.
const USUAL_PATH: &str = "/var/run/babeld.sock";
/// Where a daemon listens by the convention of stock babeld's tools.
const USUAL_PORT: u16 = 33123;

/// Where a daemon may be met.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    Path(PathBuf),
    Port(u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Port(port) => write!(f, "[::1]:{port}"),
        }
    }
}

trait Stream: Read + Write + fmt::Debug {
    /// How long a read or write may take; `None` for ever.
    fn limit(&self, limit: Option<Duration>) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn limit(&self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)?;
        self.set_write_timeout(limit)
    }
}

impl Stream for UnixStream {
    fn limit(&self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)?;
        self.set_write_timeout(limit)
    }
}

/// A conversation that has got past the greeting.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    place: Place,
    version: String,
}

impl Connection {
    /// Finds the daemon and reads its greeting.
    pub fn open(socket: &Socket) -> Result<Self> {
        match socket {
            Socket::Path(path) => Self::at_given(Place::Path(path.clone())),
            Socket::Port(port) => Self::at_given(Place::Port(*port)),
            Socket::Usual => match std::env::var_os("BABEL_SOCKET") {
                Some(word) if !word.is_empty() => Self::open(&Socket::from_word(word))
                    .context("BABEL_SOCKET names the control socket"),
                _ => Self::at_usual(&[Place::Path(USUAL_PATH.into()), Place::Port(USUAL_PORT)]),
            },
        }
    }

    fn at_given(place: Place) -> Result<Self> {
        match place.connect() {
            Ok(stream) => Self::greet(stream, place),
            Err(error) => Err(error).with_context(|| {
                format!(
                    "cannot reach babeld at {place}: is it running, and does it listen there \
                     (`local-path`, `local-port`, -G PORT)?"
                )
            }),
        }
    }

    fn at_usual(places: &[Place]) -> Result<Self> {
        let mut tried = Vec::new();
        for place in places {
            match place.connect() {
                Ok(stream) => return Self::greet(stream, place.clone()),
                Err(error) => tried.push(format!("{place}: {error}")),
            }
        }
        bail!(
            "no babeld answers ({}). Say where its control socket is: `babelctl -s PATH|PORT`, or \
             BABEL_SOCKET=PATH|PORT. A babeld has one only if it is told to: `local-path-readwrite \
             {USUAL_PATH}` in its configuration, or `-G {USUAL_PORT}`",
            tried.join("; ")
        )
    }

    fn greet(stream: Box<dyn Stream>, place: Place) -> Result<Self> {
        let limited = stream.limit(Some(ANSWER_LIMIT));
        limited.with_context(|| format!("cannot set limits on {place}"))?;
        let mut connection = Self {
            stream: BufReader::new(stream),
            place,
            version: "a babeld".into(),
        };
        let mut babel = false;
        let mut version = None;
        let end = connection.answer(|line| {
            babel |= line.starts_with("BABEL ");
            if let Some(text) = line.strip_prefix("version ") {
                version = Some(text.to_owned());
            }
            Ok(())
        })?;
        if !babel || end != "ok" {
            bail!("what answers at {} is not babeld", connection.place);
        }
        connection.version = version.unwrap_or(connection.version);
        Ok(connection)
    }

    /// Sends `line`; hands each line of the answer to `each`, and returns the word that ends it:
    /// `ok`, `no`, `no MESSAGE` or `bad`.
    pub fn ask(&mut self, line: &str, each: impl FnMut(&str) -> Result<()>) -> Result<String> {
        let sent = self
            .stream
            .get_mut()
            .write_all(format!("{line}\n").as_bytes());
        // Not as a cause: a closed socket is not the closed pipe that ends us quietly.
        if let Err(error) = sent {
            bail!("babeld at {} went away: {error}", self.place);
        }
        self.answer(each)
    }

    /// The next line, waiting for ever; `None` when the daemon ends the conversation.
    pub fn event(&mut self) -> Result<Option<String>> {
        let unlimited = self.stream.get_ref().limit(None);
        unlimited.with_context(|| format!("cannot set limits on {}", self.place))?;
        self.line()
    }

    /// What the daemon calls itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it was met, for people.
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    fn answer(&mut self, mut each: impl FnMut(&str) -> Result<()>) -> Result<String> {
        loop {
            let Some(line) = self.line()? else {
                bail!(
                    "babeld at {} ended the conversation: it stops, or has too many clients",
                    self.place
                );
            };
            if matches!(line.as_str(), "ok" | "bad" | "no") || line.starts_with("no ") {
                return Ok(line);
            }
            each(&line)?;
        }
    }

    fn line(&mut self) -> Result<Option<String>> {
        let mut octets = Vec::new();
        let mut limited = self.stream.by_ref().take(MAX_LINE);
        match limited.read_until(b'\n', &mut octets) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => bail!(
                "babeld at {} accepted the connection but says nothing for {} s: it is stuck, or \
                 has too many clients",
                self.place,
                ANSWER_LIMIT.as_secs()
            ),
            // Not as a cause: see `ask`.
            Err(error) => bail!("babeld at {} went away: {error}", self.place),
        }
        if octets.pop() != Some(b'\n') {
            bail!("babeld at {} broke off within a line", self.place);
        }
        Ok(Some(String::from_utf8_lossy(&octets).into_owned()))
    }
}

impl Place {
    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Path(path) => Ok(Box::new(UnixStream::connect(path)?)),
            Self::Port(port) => {
                let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, *port, 0, 0);
                let address = SocketAddr::V6(address);
                Ok(Box::new(TcpStream::connect_timeout(
                    &address,
                    ANSWER_LIMIT,
                )?))
            }
        }
    }
}
