//! Where a speed-test server is and what it speaks.
//!
//! `Display` writes the canonical form, which parses to the same value.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The port of our own responder unless said otherwise: not assigned by IANA, next to Babel's.
pub const BABEL_PORT: u16 = 6698;

/// A speed-test server.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Url {
    protocol: Protocol,
    host: Host,
    port: u16,
}

/// What the server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// Ours, in the clear.
    Babel,
    /// Ours, in TLS whose key is pinned.
    Babels(Pin),
    /// M-Lab's ndt7 in TLS.
    Ndt7,
    /// ndt7 in the clear.
    Ndt7Clear,
    /// iperf3, by the installed program.
    Iperf3,
}

/// Who the server is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    /// The neighbour under test itself.
    Neighbour,
    /// An address.
    Address(IpAddr),
    /// A name, looked up by the system's resolver; those packets are not part of the test.
    Name(String),
}

/// The SHA-256 of a server's public key (DER `SubjectPublicKeyInfo`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pin(pub [u8; 32]);

/// Why a text is no URL of a speed-test server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// No scheme, or another one.
    #[error("`{0}`: it begins with none of babel://, babels://, ndt7://, ndt7+ws://, iperf3://")]
    Scheme(String),
    /// The host is missing or malformed.
    #[error("`{0}`: after `://` comes a name, an IPv4 address, [an IPv6 address], or `neighbour`")]
    Host(String),
    /// A link-local address says nothing without its link.
    #[error("`{0}`: a link-local address needs its link; write `neighbour` for the neighbour")]
    LinkLocal(String),
    /// The port is not 1 to 65535.
    #[error("`{0}`: the port is a number from 1 to 65535")]
    Port(String),
    /// `babels` without a pin, or with a malformed one.
    #[error(
        "`{0}`: babels needs the server's key: babels://HOST:PORT?pin=sha256:HEX with 64 digits, \
         as `babelctl speedtest serve --tls` prints it"
    )]
    Pin(String),
    /// Something follows that does not belong there.
    #[error("`{0}`: nothing may follow HOST:PORT here (only babels:// takes ?pin=…)")]
    Tail(String),
}

impl Url {
    /// From its parts.
    pub const fn new(protocol: Protocol, host: Host, port: u16) -> Self {
        Self {
            protocol,
            host,
            port,
        }
    }

    /// What the server speaks.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Who the server is.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Its TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Measures the link to the neighbour rather than what lies behind it.
    pub fn is_link_test(&self) -> bool {
        self.host == Host::Neighbour
    }
}

impl Protocol {
    /// The port where none is said.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Babel | Self::Babels(_) => BABEL_PORT,
            Self::Ndt7 => 443,
            Self::Ndt7Clear => 80,
            Self::Iperf3 => 5201,
        }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::Babel => "babel",
            Self::Babels(_) => "babels",
            Self::Ndt7 => "ndt7",
            Self::Ndt7Clear => "ndt7+ws",
            Self::Iperf3 => "iperf3",
        }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let whole = || shown(text);
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| UrlError::Scheme(whole()))?;
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        let protocol = match (scheme, query) {
            ("babels", query) => Protocol::Babels(
                query
                    .and_then(|query| query.strip_prefix("pin="))
                    .and_then(|pin| pin.parse().ok())
                    .ok_or_else(|| UrlError::Pin(whole()))?,
            ),
            ("babel", None) => Protocol::Babel,
            ("ndt7", None) => Protocol::Ndt7,
            ("ndt7+ws", None) => Protocol::Ndt7Clear,
            ("iperf3", None) => Protocol::Iperf3,
            ("babel" | "ndt7" | "ndt7+ws" | "iperf3", Some(_)) => {
                return Err(UrlError::Tail(whole()));
            }
            _ => return Err(UrlError::Scheme(whole())),
        };
        let (host, port) = split_port(place).ok_or_else(|| UrlError::Host(whole()))?;
        let port = match port {
            None => protocol.default_port(),
            Some(port) => port_number(port).ok_or_else(|| UrlError::Port(whole()))?,
        };
        if place.contains('/') {
            return Err(UrlError::Tail(whole()));
        }
        let host = Host::from_text(host).ok_or_else(|| UrlError::Host(whole()))?;
        if matches!(host, Host::Address(IpAddr::V6(a)) if a.is_unicast_link_local()) {
            return Err(UrlError::LinkLocal(whole()));
        }
        Ok(Self::new(protocol, host, port))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.protocol.scheme(), self.host)?;
        match self.protocol {
            Protocol::Babel => write!(f, ":{}", self.port),
            Protocol::Babels(pin) => write!(f, ":{}?pin={pin}", self.port),
            other if other.default_port() == self.port => Ok(()),
            _ => write!(f, ":{}", self.port),
        }
    }
}

impl TryFrom<String> for Url {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl From<Url> for String {
    fn from(url: Url) -> Self {
        url.to_string()
    }
}

impl Host {
    /// Bracketed IPv6, IPv4, `neighbour` or a name of letters, digits, dots and hyphens.
    fn from_text(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        if matches!(text, "neighbour" | "neighbor") {
            return Some(Self::Neighbour);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let good = !text.is_empty()
            && text.len() <= 253
            && !text.starts_with(['-', '.'])
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
            // Digits and dots only is a mistyped address, never a name.
            && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        good.then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neighbour => f.write_str("neighbour"),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Pin {
    type Err = ();

    /// `sha256:` and 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix("sha256:").ok_or(())?.as_bytes();
        let mut pin = [0; 32];
        if digits.len() != 2 * pin.len() {
            return Err(());
        }
        for (octet, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(());
            let [high, low] = pair else { return Err(()) };
            // Two digits make at most 255.
            *octet = u8::try_from(16 * digit(*high)? + digit(*low)?).map_err(drop)?;
        }
        Ok(Self(pin))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The host and, after the last colon outside brackets, the port.
fn split_port(place: &str) -> Option<(&str, Option<&str>)> {
    if place.starts_with('[') {
        let end = place.find(']')? + 1;
        let (host, rest) = place.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => (rest.is_empty() || rest.starts_with('/')).then_some((host, None)),
        };
    }
    match place.split_once(':') {
        // An IPv6 address without its brackets.
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((place, None)),
    }
}

fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// What is quoted in an error: a line of hostile length would not teach anybody.
fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn the_canonical_form_is_what_was_meant() {
        let pinned = format!("babels://10.0.0.1:7000?pin={PIN}");
        for (text, canonical) in [
            (
                "babel://speed.example.net:7000",
                "babel://speed.example.net:7000",
            ),
            ("babel://neighbor", "babel://neighbour:6698"),
            ("babel://[2001:DB8::1]:1", "babel://[2001:db8::1]:1"),
            (pinned.as_str(), pinned.as_str()),
            ("ndt7://ndt.example.org", "ndt7://ndt.example.org"),
            ("ndt7://ndt.example.org:443/", "ndt7://ndt.example.org"),
            ("ndt7+ws://10.0.0.1:8080", "ndt7+ws://10.0.0.1:8080"),
            ("iperf3://[::1]", "iperf3://[::1]"),
            ("iperf3://[::1]:5202", "iperf3://[::1]:5202"),
        ] {
            let url: Url = text.parse().expect(text);
            assert_eq!(url.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(url));
        }
    }

    #[test]
    fn the_parts_are_at_hand() {
        let url: Url = "ndt7://neighbour".parse().expect("a URL");
        assert!(url.is_link_test());
        assert_eq!((url.protocol(), url.port()), (Protocol::Ndt7, 443));
        let url: Url = format!("babels://h?pin={PIN}").parse().expect("a URL");
        assert_eq!(url.host(), &Host::Name("h".into()));
        assert!(matches!(
            url.protocol(),
            Protocol::Babels(Pin([0, 0x11, ..]))
        ));
    }

    #[test]
    fn a_wrong_url_teaches_the_right_one() {
        for (text, lesson) in [
            ("speed.example.net", "begins with"),
            ("http://x", "begins with"),
            ("babel://", "comes a name"),
            ("babel://:1", "comes a name"),
            ("babel://2001:db8::1:6698", "[an IPv6 address]"),
            ("babel://10.0.0.300", "comes a name"),
            ("babel://a b", "comes a name"),
            ("babel://[::1", "comes a name"),
            ("babel://[::1]x", "comes a name"),
            ("babel://[fe80::1]", "write `neighbour`"),
            ("babel://[fe80::1%eth0]", "comes a name"),
            ("babel://h:0", "1 to 65535"),
            ("babel://h:65536", "1 to 65535"),
            ("babel://h:+1", "1 to 65535"),
            ("babel://h:", "1 to 65535"),
            ("babels://h:1", "needs the server's key"),
            ("babels://h:1?pin=sha256:00", "64 digits"),
            ("babels://h:1?pin=md5:00", "64 digits"),
            ("babel://h?pin=x", "nothing may follow"),
            ("ndt7://h/ndt/v7/download", "nothing may follow"),
        ] {
            let error = text.parse::<Url>().expect_err(text).to_string();
            assert!(error.contains(lesson), "{text}: {error}");
        }
        let long = format!("babel://{}", "x".repeat(100_000));
        assert!(long.parse::<Url>().expect_err("long").to_string().len() < 400);
    }
}
