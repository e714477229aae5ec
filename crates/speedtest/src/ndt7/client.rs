//! The client of ndt7: one connection for the download, one for the upload.
//!
//! Of a download only what came counts; of an upload what the server says that it received, and
//! no more than was sent. Round trips are the connection's own and the two kernels' under load.

use super::{
    DOWNLOAD_PATH, FIRST_MESSAGE, Measurement, RUNTIME, SUBPROTOCOL, Socket, UPLOAD_PATH, complete,
    config, is_blocked, is_end, message_size, said,
};
use crate::contract::{Loss, LossSource, Outcome, Phase};
use crate::payload::{Payload, random};
use crate::pipe::Pipe;
use crate::plan::Leg;
use crate::rate::Estimator;
use crate::run::{Flow, Test};
use crate::tcpinfo::{Asker, TcpInfo};
use crate::url::Protocol;
use crate::why::Why;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Bytes, Message};

/// How often a direction looks at the clock when nothing happens.
const LOOK: Duration = Duration::from_millis(50);
/// How much later an upload may end early.
const SEEN_LATER: Duration = Duration::from_millis(1500);
/// The kernel is asked for round trips so often.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Runs a test against an ndt7 server.
pub(crate) fn run(test: &mut Test<'_>) -> Result<Outcome, Why> {
    test.progress.at(Phase::Connect, 0);
    let connecting = |why: Why| why.during(Phase::Connect);
    let by = test.plan.connected_by();
    let addresses = test
        .dialer
        .addresses(&test.request.url)
        .map_err(connecting)?;
    let first = test
        .dialer
        .connect_any(&addresses, by)
        .map_err(connecting)?;
    let to = first
        .peer_addr()
        .map_err(|error| connecting(error.into()))?;
    let socket = open(test, first, DOWNLOAD_PATH, by).map_err(connecting)?;
    let down = download(test, socket).map_err(|why| why.during(Phase::Download))?;

    let by = test
        .plan
        .until()
        .min(Instant::now() + Duration::from_secs(5));
    let dialled = Instant::now();
    let second = again(test, to, by).map_err(connecting)?;
    // Between two tests the path is idle, and a TCP connection takes one round trip.
    let idle = dialled.elapsed();
    let socket = open(test, second, UPLOAD_PATH, by).map_err(connecting)?;
    let up = upload(test, socket).map_err(|why| why.during(Phase::Upload))?;

    let outcome = Flow::outcome(&down.flow, &up.flow)?;
    Ok(Outcome {
        idle_latency_us: u64::try_from(idle.as_micros()).ok(),
        loaded_latency_us: down.median_rtt().max(up.median_rtt()),
        loss: down.retransmitted.max(up.retransmitted).map(|ppm| Loss {
            ppm,
            by: LossSource::Retransmits,
        }),
        ..outcome
    })
}

/// One direction, and what the sender's kernel said of it.
struct Seen {
    flow: Flow,
    rtts_us: Vec<u64>,
    /// Parts per million.
    retransmitted: Option<u32>,
}

impl Seen {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            flow: Flow {
                rates: Estimator::default(),
                from: now,
                to: now,
                early: false,
            },
            rtts_us: Vec::new(),
            retransmitted: None,
        }
    }

    fn note(&mut self, rtt_us: u64, sent: u64, retransmitted: u64) {
        if rtt_us > 0 && self.rtts_us.len() < 1000 {
            self.rtts_us.push(rtt_us);
        }
        if let Some(ppm) = (retransmitted.min(sent) * 1000).checked_div(sent / 1000) {
            self.retransmitted = u32::try_from(ppm).ok();
        }
    }

    fn median_rtt(&self) -> Option<u64> {
        let mut rtts = self.rtts_us.clone();
        rtts.sort_unstable();
        rtts.get(rtts.len() / 2).copied()
    }

    /// True: it is enough.
    fn observe(&mut self, octets: u64, leg: &Leg) -> bool {
        let elapsed = self.flow.from.elapsed();
        self.flow.rates.observe(elapsed, octets);
        self.flow.early = elapsed >= leg.at_least && self.flow.rates.is_steady();
        self.flow.to = Instant::now();
        self.flow.early || elapsed >= leg.at_most
    }
}

fn again(test: &Test<'_>, to: SocketAddr, by: Instant) -> Result<std::net::TcpStream, Why> {
    let left = by.saturating_duration_since(Instant::now());
    test.dialer
        .connect(to, left)
        .map_err(|error| Why::new(format!("{to}: {error}")))
}

/// TLS where the URL says so, then the WebSocket.
fn open(
    test: &Test<'_>,
    socket: std::net::TcpStream,
    path: &str,
    by: Instant,
) -> Result<Socket, Why> {
    let url = &test.request.url;
    let mut pipe = match url.protocol() {
        #[cfg(feature = "tls")]
        Protocol::Ndt7 => {
            let tls = crate::tls::web_client(url.host(), socket.peer_addr()?.ip())?;
            Pipe::tls(socket, test.budget.clone(), tls)?
        }
        #[cfg(not(feature = "tls"))]
        Protocol::Ndt7 => return Err("this build has no TLS (feature `tls`)".into()),
        _ => Pipe::plain(socket, test.budget.clone())?,
    };
    pipe.settle(by)?;
    let host = match url.host() {
        crate::Host::Neighbour => "neighbour".to_owned(),
        host => host.to_string(),
    };
    let query = concat!(
        "client_name=babeld&client_version=",
        env!("CARGO_PKG_VERSION"),
        "&client_library_name=babeld-speedtest&client_library_version=",
        env!("CARGO_PKG_VERSION")
    );
    let mut request = format!("ws://{host}:{}{path}?{query}", url.port())
        .into_client_request()
        .map_err(said)?;
    let headers = request.headers_mut();
    headers.insert(
        "Sec-WebSocket-Protocol",
        HeaderValue::from_static(SUBPROTOCOL),
    );
    let agent = concat!("babeld/", env!("CARGO_PKG_VERSION"));
    headers.insert("User-Agent", HeaderValue::from_static(agent));
    let begun = tungstenite::client::client_with_config(request, pipe, Some(config()));
    let (socket, _) = complete(begun, |begun| begun.get_mut().get_mut(), by)?;
    Ok(socket)
}

fn leg(test: &mut Test<'_>, after: u32) -> Result<Leg, Why> {
    let left = test.budget.left();
    let leg = test
        .plan
        .leg(after, left)
        .ok_or("too little of the time or byte limit is left")?;
    Ok(Leg {
        at_most: leg.at_most.min(RUNTIME),
        ..leg
    })
}

fn download(test: &mut Test<'_>, mut socket: Socket) -> Result<Seen, Why> {
    let leg = leg(test, 1)?;
    let mut seen = Seen::new();
    loop {
        // Octets as they come, not message by message: those are large on a slow link.
        let octets = socket.get_ref().received();
        test.progress
            .at(Phase::Download, seen.flow.rates.recent_bps());
        if seen.observe(octets, &leg) || octets >= leg.octets {
            break;
        }
        match socket.read() {
            Ok(Message::Text(text)) => {
                let said = serde_json::from_str::<Measurement>(&text).unwrap_or_default();
                if let Some(tcp) = said.tcp_info {
                    let [rtt, sent, again] =
                        [tcp.rtt, tcp.bytes_sent, tcp.bytes_retrans].map(natural);
                    seen.note(rtt, sent, again);
                }
            }
            Ok(Message::Close(_)) => break,
            Ok(_) => {}
            Err(error) if is_blocked(&error) => {
                socket.get_mut().wait(false, Instant::now() + LOOK)?;
            }
            Err(error) if is_end(&error) => break,
            Err(error) => return Err(said(error)),
        }
    }
    leave(socket);
    Ok(seen)
}

fn upload(test: &mut Test<'_>, mut socket: Socket) -> Result<Seen, Why> {
    let leg = leg(test, 0)?;
    // The server counts aloud four times a second at most: steadiness takes longer to see.
    let at_least = (leg.at_least + SEEN_LATER).min(leg.at_most);
    let leg = Leg { at_least, ..leg };
    let kernel = Asker::new(socket.get_ref().socket()).ok();
    let key: [u8; 32] = random()?;
    let mut payload = Payload::new(&key, &[], SUBPROTOCOL.as_bytes());
    let (mut size, mut sent, mut received) = (FIRST_MESSAGE, 0_u64, 0_u64);
    let mut asked = Instant::now();
    let mut pending = false;
    let mut seen = Seen::new();
    loop {
        test.progress
            .at(Phase::Upload, seen.flow.rates.recent_bps());
        let over = seen.flow.from.elapsed() >= leg.at_most || received >= leg.octets;
        if over || (seen.flow.early && received > 0) {
            break;
        }
        let come = counter_flow(&mut socket, sent)?;
        if come.is_some_and(|octets| octets > received) {
            received = come.unwrap_or(received);
            seen.observe(received, &leg);
        }
        if asked.elapsed() >= ASK_EVERY {
            asked = Instant::now();
            if let Some(TcpInfo {
                rtt_us,
                bytes_sent,
                bytes_retransmitted,
                ..
            }) = kernel.as_ref().and_then(Asker::ask)
            {
                seen.note(rtt_us.into(), bytes_sent, bytes_retransmitted);
            }
        }
        if !pending && sent < leg.octets {
            size = message_size(size, sent);
            let mut message = vec![0; size];
            payload.fill(&mut message);
            sent += size as u64;
            pending = !done(socket.write(Message::Binary(Bytes::from(message))))?;
        }
        if pending {
            pending = !done(socket.flush())?;
        }
        if pending || sent >= leg.octets {
            socket.get_mut().wait(pending, Instant::now() + LOOK)?;
        }
    }
    if received == 0 {
        return Err("the server tells nothing of what it received".into());
    }
    leave(socket);
    Ok(seen)
}

/// What the server says that it has, if it said so: not more than was sent.
fn counter_flow(socket: &mut Socket, sent: u64) -> Result<Option<u64>, Why> {
    let mut most = None;
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                let said = serde_json::from_str::<Measurement>(&text).unwrap_or_default();
                // The kernel's count is the finer one: messages are counted when they are whole.
                let octets = match (said.tcp_info, said.app_info) {
                    (Some(tcp), _) if tcp.bytes_received > 0 => natural(tcp.bytes_received),
                    (_, Some(app)) => natural(app.num_bytes),
                    _ => continue,
                };
                most = most.max(Some(octets.min(sent)));
            }
            Ok(Message::Binary(_)) => return Err("the server sends payload in an upload".into()),
            Ok(Message::Close(_)) => return Err("the server ends the upload half way".into()),
            Ok(_) => {}
            Err(error) if is_blocked(&error) => return Ok(most),
            Err(error) => return Err(said(error)),
        }
    }
}

/// False: it is to be tried again.
fn done(result: tungstenite::Result<()>) -> Result<bool, Why> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if is_blocked(&error) => Ok(false),
        Err(error) => Err(said(error)),
    }
}

/// Says goodbye as far as that goes without waiting: what is still on its way is of no use.
fn leave(mut socket: Socket) {
    let _ = socket.close(None);
    let _ = socket.flush();
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
