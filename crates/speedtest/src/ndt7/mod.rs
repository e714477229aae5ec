//! ndt7, M-Lab's protocol: a WebSocket for each direction, measurements as text, payload as
//! binary messages.

pub(crate) mod client;
pub(crate) mod server;

use crate::pipe::Pipe;
use crate::why::Why;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, WebSocket};

pub(crate) const SUBPROTOCOL: &str = "net.measurementlab.ndt.v7";
pub(crate) const DOWNLOAD_PATH: &str = "/ndt/v7/download";
pub(crate) const UPLOAD_PATH: &str = "/ndt/v7/upload";
/// A direction takes ten seconds, by the specification.
pub(crate) const RUNTIME: Duration = Duration::from_secs(10);
/// Between two measurements, at least.
pub(crate) const MEASURE_EVERY: Duration = Duration::from_millis(250);
/// The first payload message; they double as long as they are a small part of the whole.
pub(crate) const FIRST_MESSAGE: usize = 8 * 1024;
const MOST_MESSAGE: usize = 128 * 1024;
const SMALL_PART: u64 = 16;
/// What we take in one message: beyond what the specification lets anybody refuse.
const MOST_RECEIVED: usize = 16 << 20;

/// A measurement message; everything is optional, and more may be there.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Measurement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app_info: Option<AppInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection_info: Option<ConnectionInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) test: Option<String>,
    #[serde(default, rename = "TCPInfo", skip_serializing_if = "Option::is_none")]
    pub(crate) tcp_info: Option<TcpFields>,
}

/// Octets of messages, and microseconds since the beginning.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AppInfo {
    pub(crate) elapsed_time: i64,
    pub(crate) num_bytes: i64,
}

/// Who measures whom.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ConnectionInfo {
    pub(crate) client: String,
    pub(crate) server: String,
    #[serde(rename = "UUID")]
    pub(crate) uuid: String,
}

/// The part of the kernel's view that is of use here; microseconds and octets.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TcpFields {
    pub(crate) bytes_acked: i64,
    pub(crate) bytes_received: i64,
    pub(crate) bytes_sent: i64,
    pub(crate) bytes_retrans: i64,
    #[serde(rename = "RTT")]
    pub(crate) rtt: i64,
    #[serde(rename = "MinRTT")]
    pub(crate) min_rtt: i64,
    pub(crate) elapsed_time: i64,
}

pub(crate) type Socket = WebSocket<Pipe>;

pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MOST_RECEIVED))
        .max_frame_size(Some(MOST_RECEIVED))
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MOST_RECEIVED)
}

/// How long the next payload message is after `sent` octets.
pub(crate) fn message_size(now: usize, sent: u64) -> usize {
    let grow = now < MOST_MESSAGE && now as u64 <= sent / SMALL_PART;
    if grow { now * 2 } else { now }
}

/// Carries a handshake that would block to its end.
pub(crate) fn complete<R, F>(
    mut step: Result<R, HandshakeError<F>>,
    pipe: impl Fn(&mut tungstenite::handshake::MidHandshake<F>) -> &mut Pipe,
    until: Instant,
) -> Result<R, Why>
where
    F: tungstenite::handshake::HandshakeRole<FinalResult = R>,
{
    loop {
        match step {
            Ok(done) => return Ok(done),
            Err(HandshakeError::Failure(error)) => return Err(said(error)),
            Err(HandshakeError::Interrupted(mut begun)) => {
                if Instant::now() >= until {
                    return Err("no answer in time".into());
                }
                pipe(&mut begun).wait(false, until)?;
                step = begun.handshake();
            }
        }
    }
}

pub(crate) fn said(error: Error) -> Why {
    match error {
        Error::Io(error) => error.into(),
        Error::ConnectionClosed | Error::AlreadyClosed => {
            "the other side closed the connection half way".into()
        }
        Error::Http(answer) => Why::new(format!("the server answers HTTP {}", answer.status())),
        other => Why::new(format!("WebSocket: {other}")),
    }
}

/// The operation is to be tried again later.
pub(crate) fn is_blocked(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The other side has ended the test as it should.
pub(crate) fn is_end(error: &Error) -> bool {
    matches!(error, Error::ConnectionClosed | Error::AlreadyClosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_specification() {
        // The example of the specification, and fields that we do not know.
        let text = r#"{"AppInfo":{"ElapsedTime":1234,"NumBytes":5678},"BBRInfo":{"BW":1},
            "ConnectionInfo":{"Client":"1.2.3.4:5678","Server":"[::1]:2345","UUID":"x"},
            "Origin":"server","Test":"download","TCPInfo":{"BusyTime":1234,"BytesAcked":1,
            "BytesReceived":2,"BytesSent":3,"BytesRetrans":4,"ElapsedTime":5,"MinRTT":6,"RTT":7}}"#;
        let read: Measurement = serde_json::from_str(text).expect("a measurement");
        assert_eq!(read.app_info.map(|it| it.num_bytes), Some(5678));
        let tcp = read.tcp_info.expect("TCP");
        assert_eq!((tcp.bytes_received, tcp.min_rtt, tcp.rtt), (2, 6, 7));
        let text = serde_json::to_string(&read).expect("JSON");
        assert_eq!(serde_json::from_str::<Measurement>(&text).ok(), Some(read));
        for field in [
            "\"AppInfo\"",
            "\"TCPInfo\"",
            "\"NumBytes\"",
            "\"MinRTT\"",
            "\"UUID\"",
        ] {
            assert!(text.contains(field), "{text}");
        }
        assert_eq!(
            serde_json::from_str::<Measurement>("{}").ok(),
            Some(Measurement::default())
        );
    }

    #[test]
    fn messages_grow_with_the_rate() {
        assert_eq!(message_size(FIRST_MESSAGE, 0), FIRST_MESSAGE);
        assert_eq!(message_size(FIRST_MESSAGE, 1 << 20), 2 * FIRST_MESSAGE);
        assert_eq!(message_size(MOST_MESSAGE, 1 << 40), MOST_MESSAGE);
    }
}
