//! The server's half of ndt7.

use super::{
    AppInfo, ConnectionInfo, DOWNLOAD_PATH, FIRST_MESSAGE, MEASURE_EVERY, Measurement, RUNTIME,
    SUBPROTOCOL, Socket, TcpFields, UPLOAD_PATH, complete, config, is_blocked, is_end,
    message_size, said,
};
use crate::payload::{Payload, random};
use crate::pipe::Pipe;
use crate::tcpinfo::Asker;
use crate::why::Why;
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::{HeaderValue, StatusCode};
use tungstenite::{Bytes, Message};

/// The specification lets a query be so long.
const MOST_QUERY: usize = 4096;
/// A client that uploads longer than it should is cut off here.
const MOST_UPLOAD: Duration = Duration::from_secs(13);

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Test {
    Download,
    Upload,
}

/// The server's answer to the upgrade; what is wanted.
pub(crate) fn accept(pipe: Pipe, until: Instant) -> Result<(Socket, Test), Why> {
    let mut wanted = None;
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let answer = |request: &Request, mut response: Response| match asked(request) {
        Some(test) => {
            wanted = Some(test);
            let name = HeaderValue::from_static(SUBPROTOCOL);
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", name);
            Ok(response)
        }
        None => {
            let mut no = ErrorResponse::new(None);
            *no.status_mut() = StatusCode::BAD_REQUEST;
            Err(no)
        }
    };
    let begun = tungstenite::accept_hdr_with_config(pipe, answer, Some(config()));
    let socket = complete(begun, |begun| begun.get_mut().get_mut(), until)?;
    let test = wanted.ok_or("it asks for something unknown")?;
    Ok((socket, test))
}

fn asked(request: &Request) -> Option<Test> {
    let named = request.headers().get_all("Sec-WebSocket-Protocol");
    let speaks = named.iter().any(|header| {
        let names = header.to_str().unwrap_or_default();
        names.split(',').any(|name| name.trim() == SUBPROTOCOL)
    });
    let long = request
        .uri()
        .query()
        .is_some_and(|query| query.len() > MOST_QUERY);
    match request.uri().path() {
        _ if !speaks || long => None,
        DOWNLOAD_PATH => Some(Test::Download),
        UPLOAD_PATH => Some(Test::Upload),
        _ => None,
    }
}

/// Carries the test out. `go_on` is told of octets, and false ends it.
pub(crate) fn run(
    socket: Socket,
    test: Test,
    until: Instant,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Why> {
    let mut reporter = Reporter::new(&socket, test)?;
    match test {
        Test::Download => download(socket, &mut reporter, until, go_on),
        Test::Upload => upload(socket, &mut reporter, until, go_on),
    }
}

fn download(
    mut socket: Socket,
    reporter: &mut Reporter,
    until: Instant,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Why> {
    let end = until.min(reporter.begun + RUNTIME);
    let key: [u8; 32] = random()?;
    let mut payload = Payload::new(&key, &[], SUBPROTOCOL.as_bytes());
    let (mut size, mut sent) = (FIRST_MESSAGE, 0_u64);
    let mut pending = false;
    while Instant::now() < end {
        match socket.read() {
            // "During the download, the client MUST NOT send any binary message."
            Ok(Message::Binary(_)) => return Err("it sends payload in a download".into()),
            Ok(Message::Close(_)) => return Ok(()),
            Ok(_) => continue,
            Err(error) if is_blocked(&error) => {}
            Err(error) if is_end(&error) => return Ok(()),
            Err(error) => return Err(said(error)),
        }
        if !pending {
            let mut message = match reporter.due(sent) {
                Some(text) => socket.write(Message::text(text)),
                None => {
                    size = message_size(size, sent);
                    let mut octets = vec![0; size];
                    payload.fill(&mut octets);
                    sent += size as u64;
                    if !go_on(size as u64) {
                        break;
                    }
                    socket.write(Message::Binary(Bytes::from(octets)))
                }
            };
            if message.is_ok() {
                message = socket.flush();
            }
            pending = blocked(message)?;
        } else {
            socket
                .get_mut()
                .wait(true, end.min(Instant::now() + MEASURE_EVERY))?;
            pending = blocked(socket.flush())?;
        }
    }
    goodbye(socket);
    Ok(())
}

fn upload(
    mut socket: Socket,
    reporter: &mut Reporter,
    until: Instant,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Why> {
    let end = until.min(reporter.begun + MOST_UPLOAD);
    let mut received = 0_u64;
    let mut pending = false;
    while Instant::now() < end {
        match socket.read() {
            Ok(Message::Close(_)) => return Ok(()),
            Ok(message) if message.is_binary() || message.is_text() => {
                received += message.len() as u64;
                if !go_on(message.len() as u64) {
                    break;
                }
            }
            Ok(_) => {}
            Err(error) if is_blocked(&error) => {
                let next = end.min(Instant::now() + MEASURE_EVERY / 2);
                socket.get_mut().wait(pending, next)?;
            }
            Err(error) if is_end(&error) => return Ok(()),
            Err(error) => return Err(said(error)),
        }
        if pending {
            pending = blocked(socket.flush())?;
        } else if let Some(text) = reporter.due(received) {
            let mut message = socket.write(Message::text(text));
            if message.is_ok() {
                message = socket.flush();
            }
            pending = blocked(message)?;
        }
    }
    goodbye(socket);
    Ok(())
}

/// Waits a moment for the client's goodbye, so that what was sent is not lost with a reset.
fn goodbye(mut socket: Socket) {
    let until = Instant::now() + Duration::from_secs(1);
    let _ = socket.close(None);
    while Instant::now() < until {
        let _ = socket.flush();
        match socket.read() {
            Ok(_) => {}
            Err(error) if is_blocked(&error) => {
                if socket.get_mut().wait(false, until).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
}

/// True: it is to be tried again.
fn blocked(result: tungstenite::Result<()>) -> Result<bool, Why> {
    match result {
        Ok(()) => Ok(false),
        Err(error) if is_blocked(&error) => Ok(true),
        Err(error) => Err(said(error)),
    }
}

/// Writes measurements when they are due.
struct Reporter {
    begun: Instant,
    next: Instant,
    test: Test,
    kernel: Option<Asker>,
    connection: ConnectionInfo,
}

impl Reporter {
    fn new(socket: &Socket, test: Test) -> Result<Self, Why> {
        let stream = socket.get_ref().socket();
        let begun = Instant::now();
        let name: [u8; 8] = random()?;
        Ok(Self {
            begun,
            next: begun + MEASURE_EVERY,
            test,
            kernel: Asker::new(stream).ok(),
            connection: ConnectionInfo {
                client: stream.peer_addr()?.to_string(),
                server: stream.local_addr()?.to_string(),
                uuid: name.iter().map(|octet| format!("{octet:02x}")).collect(),
            },
        })
    }

    fn due(&mut self, octets: u64) -> Option<String> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + MEASURE_EVERY;
        let elapsed_time = integer((now - self.begun).as_micros());
        let tcp_info = self
            .kernel
            .as_ref()
            .and_then(Asker::ask)
            .map(|tcp| TcpFields {
                bytes_acked: integer(tcp.bytes_acked.into()),
                bytes_received: integer(tcp.bytes_received.into()),
                bytes_sent: integer(tcp.bytes_sent.into()),
                bytes_retrans: integer(tcp.bytes_retransmitted.into()),
                rtt: tcp.rtt_us.into(),
                min_rtt: tcp.min_rtt_us.into(),
                elapsed_time,
            });
        let test = match self.test {
            Test::Download => "download",
            Test::Upload => "upload",
        };
        serde_json::to_string(&Measurement {
            app_info: Some(AppInfo {
                elapsed_time,
                num_bytes: integer(octets.into()),
            }),
            connection_info: Some(self.connection.clone()),
            origin: Some("server".into()),
            test: Some(test.into()),
            tcp_info,
        })
        .ok()
    }
}

fn integer(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
