//! One client: a task that reads its lines and writes its answers, each at the client's pace.

use super::althea;
use super::command::{Command, Line};
use super::listen::Access;
use super::outbox::{Outbox, Piece};
use super::server::{Request, Shared};
use super::snapshot::Tables;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

/// Octets a line may have. Stock babeld closes a connection with 1024 pending.
const MAX_LINE: usize = 4096;
/// Text waiting for a client that takes nothing, beyond which it is cut.
const MAX_IDLE_TEXT: usize = 4 << 20;
/// For how long it must have taken nothing: the loss of a neighbour with many routes is a burst
/// that even a client that reads cannot take at once.
const PATIENCE: Duration = Duration::from_secs(2);
/// Text waiting for any client, beyond which it is cut. Notifications are shared: all clients
/// together hold little more than this.
const MAX_TEXT: usize = 32 << 20;
/// A client that has something to read and takes nothing of it for so long is cut.
const STALL: Duration = Duration::from_secs(60);
/// After the last answer, for the client to close its side, so that the answer is not lost to a
/// reset.
const LINGER: Duration = Duration::from_secs(1);

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A client as the server sees it.
#[derive(Debug)]
pub(super) struct Client {
    access: Access,
    outbox: Outbox,
    monitoring: Cell<Option<Tables>>,
    progress: Cell<Instant>,
    slow: Cell<bool>,
    cut: Notify,
}

impl Client {
    pub(super) fn new(access: Access) -> Self {
        Self {
            access,
            outbox: Outbox::default(),
            monitoring: Cell::new(None),
            progress: Cell::new(Instant::now()),
            slow: Cell::new(false),
            cut: Notify::new(),
        }
    }

    /// Queues a piece of an answer, or a notification; cuts a client that does not read.
    pub(super) fn push(&self, piece: Piece) {
        if self.outbox.is_empty() {
            self.progress.set(Instant::now());
        }
        self.outbox.push(piece);
        let waiting = self.outbox.text();
        let idle = waiting > MAX_IDLE_TEXT && self.progress.get().elapsed() > PATIENCE;
        if idle || waiting > MAX_TEXT {
            self.cut_slow();
        }
    }

    /// Queues text.
    pub(super) fn say(&self, text: &str) {
        self.push(Piece::Text(text.into()));
    }

    /// Notifies it of changes of `tables`, besides those it monitors already.
    pub(super) fn monitor(&self, tables: Tables) {
        let known = self.monitoring.get();
        self.monitoring
            .set(Some(known.map_or(tables, |known| known.and(tables))));
    }

    /// Ends its notifications.
    pub(super) fn unmonitor(&self) {
        self.monitoring.set(None);
    }

    /// What it wants notifications of.
    pub(super) fn monitored(&self) -> Option<Tables> {
        self.monitoring.get()
    }

    /// When it last took something off its socket.
    pub(super) fn last_progress(&self) -> Instant {
        self.progress.get()
    }

    /// Octets held by its dumps.
    pub(super) fn snapshot_weight(&self) -> usize {
        self.outbox.snapshot_weight()
    }

    /// Ends the connection at once: the client does not read.
    pub(super) fn cut_slow(&self) {
        self.slow.set(true);
        self.unmonitor();
        self.cut.notify_one();
    }

    /// Ends the connection when what was queued has been written.
    pub(super) fn close(&self) {
        self.unmonitor();
        self.outbox.close();
    }
}

/// Serves a client to its end.
pub(super) async fn serve(shared: &Shared, client: &Rc<Client>, stream: Stream) {
    match stream {
        Stream::Tcp(stream) => {
            let (input, output) = stream.into_split();
            converse(shared, client, input, output).await;
        }
        Stream::Unix(stream) => {
            let (input, output) = stream.into_split();
            converse(shared, client, input, output).await;
        }
    }
}

async fn converse<I, O>(shared: &Shared, client: &Rc<Client>, input: I, output: O)
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
{
    let identity = &shared.identity;
    client.say(&format!(
        "BABEL 1.0\nversion {}\nhost {}\nmy-id {}\n{}ok\n",
        identity.version,
        identity.host,
        identity.router_id,
        if identity.althea {
            althea::GREETING
        } else {
            ""
        },
    ));
    let mut lines = Lines::new(input);
    let reading = async {
        let end = read(shared, client, &mut lines).await;
        client.close();
        if matches!(end, End::LineTooLong) {
            shared.count(|counters| counters.cut_long_line += 1);
        }
        // The writer ends the conversation when it has written the last answer.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = client.cut.notified() => {}
        _ = write(client, output) => {}
        () = reading => {}
    }
    client.unmonitor();
    if client.slow.get() {
        shared.count(|counters| counters.cut_slow += 1);
        tracing::info!("control socket: a client that does not read was cut");
    } else {
        let _ = timeout(LINGER, lines.discard()).await;
    }
}

/// Why a client's lines ended.
enum End {
    /// It quit, or closed its side, or the daemon stops.
    Quit,
    /// A line of more than [`MAX_LINE`] octets.
    LineTooLong,
}

/// Takes one line at a time: the next is not read before the last one's answer has been written,
/// so a client cannot make answers pile up.
async fn read<I: AsyncRead + Unpin>(
    shared: &Shared,
    client: &Rc<Client>,
    lines: &mut Lines<I>,
) -> End {
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => Line::parse(line, client.access),
            Ok(None) => return End::Quit,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return End::LineTooLong,
            Err(_) => return End::Quit,
        };
        match line {
            Line::Nothing => client.say("ok\n"),
            Line::Bad => client.say("bad\n"),
            Line::Quit => return End::Quit,
            Line::Unmonitor => {
                client.unmonitor();
                client.say("ok\n");
            }
            Line::Command(command) => {
                if !ask(shared, client, command).await {
                    return End::Quit;
                }
            }
        }
        client.outbox.emptied().await;
    }
}

/// Has the main loop queue an answer; false if there is no main loop any more.
async fn ask(shared: &Shared, client: &Rc<Client>, command: Command) -> bool {
    let (done, answered) = oneshot::channel();
    let request = Request {
        client: client.clone(),
        command,
        done,
    };
    shared.requests.send(request).await.is_ok() && answered.await.is_ok()
}

/// Writes what is queued until the outbox is closed and empty.
async fn write<O: AsyncWrite + Unpin>(client: &Client, mut output: O) -> io::Result<()> {
    let mut buffer = String::new();
    while client.outbox.filled().await {
        client.outbox.fill(&mut buffer);
        let mut rest = buffer.as_bytes();
        while !rest.is_empty() {
            let Ok(written) = timeout(STALL, output.write(rest)).await else {
                client.cut_slow();
                return Ok(());
            };
            rest = match written? {
                0 => return Ok(()),
                written => rest.get(written..).unwrap_or_default(),
            };
            client.progress.set(Instant::now());
        }
        // An idle client keeps no buffer.
        buffer = String::new();
        client.outbox.all_written();
    }
    output.shutdown().await
}

/// Splits what a client sends into lines, in bounded memory.
#[derive(Debug)]
struct Lines<I> {
    input: I,
    buffer: Vec<u8>,
    /// Octets at the start of `buffer` that were handed out already.
    taken: usize,
}

impl<I: AsyncRead + Unpin> Lines<I> {
    const fn new(input: I) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// The next line, without its end; `None` at the end of the input, even within a line;
    /// `InvalidData` if it is too long.
    async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let mut searched = 0;
        let end = loop {
            let unseen = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = unseen.iter().position(|octet| *octet == b'\n') {
                break searched + at;
            }
            searched = self.buffer.len();
            if searched > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut chunk = [0; 1024];
            let read = self.input.read(&mut chunk).await?;
            if read == 0 {
                return Ok(None);
            }
            self.buffer
                .extend_from_slice(chunk.get(..read).unwrap_or_default());
        };
        self.taken = end + 1;
        Ok(self.buffer.get(..end))
    }

    /// Reads to the end of the input and forgets it.
    async fn discard(&mut self) {
        let mut chunk = [0; 1024];
        while matches!(self.input.read(&mut chunk).await, Ok(1..)) {}
    }
}

#[cfg(test)]
mod tests;
