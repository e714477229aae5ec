//! What the daemon asks of a worker and what it hears back: one JSON object a line.
//!
//! Units stand in the names, on the wire as in the code.

use crate::url::Url;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// One test to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The server.
    pub url: Url,
    /// The neighbour under test: its link-local address and the interface's index. What the host
    /// `neighbour` in a URL stands for.
    #[serde(default)]
    pub peer: Option<(Ipv6Addr, u32)>,
    /// The mark that every packet of the test carries (`SO_MARK`), so that a rule can pin it.
    #[serde(default)]
    pub mark: Option<u32>,
    /// The address that every socket of the test is bound to.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Octets that the test may spend, in both directions together; payload of the transport.
    pub bytes_limit: u64,
    /// The test ends by then, done or not.
    #[serde(rename = "time_limit_ms", with = "milliseconds")]
    pub time_limit: Duration,
    /// Decides the length and size of the test within the limits, and the payload.
    pub seed: u64,
}

/// What a worker says: any number of `Progress`, then exactly one `Done` or `Failed`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// Where the test stands; about ten times a second while bytes flow.
    Progress {
        /// What is being measured.
        phase: Phase,
        /// Octets spent so far, both directions.
        bytes: u64,
        /// The rate of the last moment; 0 in phases that measure none.
        rate_bps: u64,
        /// Since the beginning of the test.
        elapsed_ms: u64,
    },
    /// The end: measured.
    Done(Outcome),
    /// The end: not measured.
    Failed {
        /// Names the phase, what went wrong and, where there is one, the way out.
        why: String,
        /// Octets spent all the same: they count against the budget.
        bytes: u64,
    },
}

/// The part of a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Name, connection, greeting.
    Connect,
    /// Round trips over a link that the test leaves idle.
    Idle,
    /// Towards us.
    Download,
    /// From us.
    Upload,
    /// The paced train of echoes.
    Loss,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Loss => "loss",
        })
    }
}

/// What was measured. `None`: this protocol or this server does not tell, or too little flowed.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Goodput towards us, the ramp discarded, bits per second.
    pub download_bps: Option<u64>,
    /// Goodput from us that the server acknowledged, the ramp discarded, bits per second.
    pub upload_bps: Option<u64>,
    /// Median round trip before the load.
    pub idle_latency_us: Option<u64>,
    /// Median round trip under load, the worse of the two directions.
    pub loaded_latency_us: Option<u64>,
    /// Loss.
    pub loss: Option<Loss>,
    /// Octets spent, both directions: payload of the transport as the socket sees it.
    pub bytes: u64,
    /// How long it took.
    pub elapsed_ms: u64,
    /// How steady the rates were; the less steady direction.
    pub confidence: Confidence,
    /// The estimates were steady before a limit was reached.
    pub early_stop: bool,
}

/// Lost packets, and how they were counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// Parts per million.
    pub ppm: u32,
    /// How it was counted.
    pub by: LossSource,
}

/// How a loss was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSource {
    /// A paced train of UDP echoes: lost on the way there or back.
    Echo,
    /// What TCP sent again: includes what its own probing for bandwidth lost.
    Retransmits,
}

/// Percent: 0 is a guess, 100 a rate that did not move.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(from = "u8")]
pub struct Confidence(u8);

impl Confidence {
    /// As sure as a measurement gets.
    pub const FULL: Self = Self(100);

    /// More than 100 percent is 100.
    pub const fn from_percent(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// 0 to 100.
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl From<u8> for Confidence {
    fn from(percent: u8) -> Self {
        Self::from_percent(percent)
    }
}

/// A duration as whole milliseconds.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_its_line() {
        let request = Request {
            url: "babel://neighbour:6698".parse().expect("a URL"),
            peer: Some((Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 7)),
            mark: Some(0xb000_0000),
            source: Some(IpAddr::from([10, 0, 0, 1])),
            bytes_limit: 1 << 30,
            time_limit: Duration::from_millis(12_500),
            seed: u64::MAX,
        };
        let line = serde_json::to_string(&request).expect("JSON");
        assert_eq!(
            line,
            "{\"url\":\"babel://neighbour:6698\",\"peer\":[\"fe80::1\",7],\"mark\":2952790016,\
             \"source\":\"10.0.0.1\",\"bytes_limit\":1073741824,\"time_limit_ms\":12500,\
             \"seed\":18446744073709551615}"
        );
        assert_eq!(serde_json::from_str::<Request>(&line).ok(), Some(request));
    }

    #[test]
    fn what_is_not_said_of_a_request_is_not_asked_for() {
        let line = "{\"url\":\"iperf3://[::1]\",\"bytes_limit\":1,\"time_limit_ms\":1,\"seed\":0}";
        let request: Request = serde_json::from_str(line).expect("a request");
        assert_eq!(request.peer, None);
        assert_eq!(request.mark, None);
        assert_eq!(request.source, None);
        for bad in ["{}", "", "[]", "{\"url\":\"gopher://x\"}"] {
            assert!(serde_json::from_str::<Request>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_message_is_one_line_and_survives_it() {
        let messages = [
            Message::Progress {
                phase: Phase::Download,
                bytes: 1,
                rate_bps: 2,
                elapsed_ms: 3,
            },
            Message::Done(Outcome {
                download_bps: Some(20_000_000),
                loss: Some(Loss {
                    ppm: 1200,
                    by: LossSource::Echo,
                }),
                confidence: Confidence::from_percent(97),
                ..Outcome::default()
            }),
            Message::Failed {
                why: "download: the server\nlied".into(),
                bytes: 7,
            },
        ];
        for message in messages {
            let line = serde_json::to_string(&message).expect("JSON");
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(serde_json::from_str::<Message>(&line).ok(), Some(message));
        }
    }

    #[test]
    fn confidence_is_at_most_full() {
        assert_eq!(Confidence::from_percent(250), Confidence::FULL);
        assert_eq!(
            serde_json::from_str::<Confidence>("200").ok(),
            Some(Confidence::FULL)
        );
    }
}
