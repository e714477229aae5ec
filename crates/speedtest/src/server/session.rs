//! One connection to the responder.

use super::quota::Client;
use super::{Live, Shared, lock};
use crate::budget::Budget;
use crate::ndt7;
use crate::ours::transfer::{self, Limits, Verdict};
use crate::ours::{Command, Direction, Hello, Status, Token, Welcome, pings};
use crate::payload::{Payload, random};
use crate::pipe::{Pipe, soon};
use crate::why::Why;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How much later than asked for a transfer must have ended.
const GRACE: Duration = Duration::from_secs(5);
/// Pings that one session may send.
const MOST_PINGS: u32 = 4000;
/// Datagrams echoed for one session.
const MOST_ECHOES: u32 = 1000;

/// Serves the connection to its end; what to log of it.
pub(super) fn serve(
    socket: TcpStream,
    from: SocketAddr,
    echo_port: u16,
    shared: &Arc<Shared>,
) -> Option<String> {
    let client = Client::of(from.ip());
    let until = Instant::now() + shared.limits.test_time;
    let mut told = Told::default();
    let done = dispatch(socket, client, echo_port, shared, until, &mut told);
    match done {
        Ok(()) if told.quiet => None,
        Ok(()) => Some(told.to_string()),
        Err(why) => Some(format!("{told}; ended: {why}")),
    }
}

/// What a connection did.
#[derive(Default)]
struct Told {
    what: &'static str,
    down: u64,
    up: u64,
    quiet: bool,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, down, up) = (self.what, self.down, self.up);
        if what.is_empty() {
            return f.write_str("connected");
        }
        write!(f, "{what}: download {down} octets, upload {up} octets")
    }
}

fn dispatch(
    socket: TcpStream,
    client: Client,
    echo_port: u16,
    shared: &Arc<Shared>,
    until: Instant,
    told: &mut Told,
) -> Result<(), Why> {
    socket.set_nonblocking(false)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(shared.limits.patience))?;
    let mut first = [0];
    if socket.peek(&mut first)? == 0 {
        told.quiet = true;
        return Ok(());
    }
    let budget = Arc::new(Budget::new(u64::MAX));
    let by = soon(shared.limits.patience, until);
    let mut pipe = match first {
        [b'b'] if shared.plain => Pipe::plain(socket, budget)?,
        #[cfg(feature = "tls")]
        [0x16] if let Some(identity) = &shared.identity => {
            let mut pipe = Pipe::tls(socket, budget, identity.connection()?)?;
            pipe.settle(by)?;
            pipe
        }
        [b'G'] if shared.ndt7 => {
            let pipe = Pipe::plain(socket, budget)?;
            return ndt7(pipe, client, shared, until, told);
        }
        _ => return Err("what it speaks is not served here".into()),
    };
    let mut hello = [0; Hello::LENGTH];
    pipe.read_all(&mut hello, by)?;
    match Hello::decode(&hello) {
        Some(Hello::Session { random }) => {
            told.what = if echo_port == 0 {
                "test without echoes"
            } else {
                "test"
            };
            let session = Session::begin(shared, client, echo_port, random)?;
            session.run(&mut pipe, until, told)?;
            pipe.close();
            Ok(())
        }
        Some(Hello::Pings { token }) => {
            told.quiet = true;
            answer_pings(&mut pipe, token, client, shared, until)
        }
        None => Err("it speaks another protocol or version".into()),
    }
}

fn ndt7(
    pipe: Pipe,
    client: Client,
    shared: &Shared,
    until: Instant,
    told: &mut Told,
) -> Result<(), Why> {
    let (socket, test) = ndt7::server::accept(pipe, soon(shared.limits.patience, until))?;
    told.what = "ndt7";
    let _place = Place::take(shared)?;
    if lock(&shared.quota).left(client, Instant::now()) == 0 {
        return Err("refused, its hour is spent".into());
    }
    let count = match test {
        ndt7::server::Test::Download => &mut told.down,
        ndt7::server::Test::Upload => &mut told.up,
    };
    ndt7::server::run(socket, test, until, &mut |octets| {
        *count += octets;
        let left = lock(&shared.quota).spend(client, octets, Instant::now());
        left > 0 && !shared.stopping()
    })
}

/// One of the tests at once.
struct Place<'a>(&'a Shared);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared) -> Result<Self, Why> {
        let place = Self(shared);
        if shared.tests.fetch_add(1, Ordering::Relaxed) >= shared.limits.tests {
            return Err("refused, busy".into());
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.tests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A test; forgotten when dropped.
struct Session<'a> {
    shared: &'a Shared,
    client: Client,
    theirs: [u8; 16],
    welcome: Welcome,
}

impl<'a> Session<'a> {
    fn begin(
        shared: &'a Shared,
        client: Client,
        echo_port: u16,
        theirs: [u8; 16],
    ) -> Result<Self, Why> {
        let most_octets = lock(&shared.quota).left(client, Instant::now());
        let (ours, token, secret) = (random()?, random()?, random()?);
        let busy = shared.tests.fetch_add(1, Ordering::Relaxed) >= shared.limits.tests;
        let mut session = Self {
            shared,
            client,
            theirs,
            welcome: Welcome {
                status: Status::Ready,
                echo_port,
                most_ms: u32::try_from(shared.limits.test_time.as_millis()).unwrap_or(u32::MAX),
                most_octets,
                random: ours,
                token,
                secret,
            },
        };
        if busy {
            session.welcome = Welcome::refusal(Status::Busy);
        } else if most_octets == 0 {
            session.welcome = Welcome::refusal(Status::Spent);
        } else {
            let echoes = MOST_ECHOES;
            let live = Live {
                client,
                secret,
                echoes,
            };
            lock(&shared.sessions).insert(token, live);
        }
        Ok(session)
    }

    fn run(&self, pipe: &mut Pipe, until: Instant, told: &mut Told) -> Result<(), Why> {
        let patience = self.shared.limits.patience;
        pipe.write_all_by(&self.welcome.encode(), soon(patience, until))?;
        match self.welcome.status {
            Status::Ready => {}
            Status::Busy => return Err("refused, busy".into()),
            Status::Spent => return Err("refused, its hour is spent".into()),
        }
        loop {
            let mut command = [0; Command::LENGTH];
            match pipe.read_all(&mut command, soon(patience, until)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let command = Command::decode(&command).ok_or("it asks for something unknown")?;
            self.obey(pipe, command, until, told)?;
        }
    }

    fn obey(
        &self,
        pipe: &mut Pipe,
        command: Command,
        until: Instant,
        told: &mut Told,
    ) -> Result<(), Why> {
        let limits = Limits {
            octets: command.most_octets.min(self.welcome.most_octets),
            until: soon(Duration::from_millis(command.most_ms.into()), until),
            grace: GRACE,
        };
        let mut charged = 0;
        let count = match command.direction {
            Direction::Down => &mut told.down,
            Direction::Up => &mut told.up,
        };
        let mut watch = |_: Duration, octets: u64| {
            let fresh = octets.saturating_sub(charged);
            charged = charged.max(octets);
            *count += fresh;
            let left = lock(&self.shared.quota).spend(self.client, fresh, Instant::now());
            match left == 0 || self.shared.stopping() {
                true => Verdict::Stop,
                false => Verdict::Go,
            }
        };
        match command.direction {
            Direction::Down => {
                let mut payload = Payload::new(
                    &self.theirs,
                    &self.welcome.random,
                    command.direction.purpose(),
                );
                transfer::send(pipe, &mut payload, limits, &mut watch)
            }
            Direction::Up => transfer::receive(pipe, limits, &mut watch),
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        lock(&self.shared.sessions).remove(&self.welcome.token);
        self.shared.tests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns each ping as long as its session lives.
fn answer_pings(
    pipe: &mut Pipe,
    token: Token,
    client: Client,
    shared: &Shared,
    until: Instant,
) -> Result<(), Why> {
    for _ in 0..MOST_PINGS {
        let live = lock(&shared.sessions)
            .get(&token)
            .is_some_and(|live| live.client == client);
        if !live || shared.stopping() {
            break;
        }
        let by = soon(shared.limits.patience, until);
        let mut ping = [0; pings::LENGTH];
        match pipe.read_all(&mut ping, by) {
            Ok(()) => pipe.write_all_by(&ping, by)?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
