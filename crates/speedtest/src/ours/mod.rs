//! Our own protocol: `docs/speedtest-protocol.md` is its text, this its octets.
//!
//! Everything is big-endian and of fixed length; nothing here reads or writes.

pub(crate) mod client;
pub(crate) mod pings;
mod report;
pub(crate) mod train;
pub(crate) mod transfer;

use sha2::{Digest, Sha256};

/// The first octets of either side; the last one is the version.
pub(crate) const MAGIC: [u8; 8] = *b"babelst1";
/// A session's name, and its secret.
pub(crate) type Token = [u8; 16];

/// Client to server: the first thing said on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hello {
    /// A test; the client's half of the payload's key.
    Session { random: [u8; 16] },
    /// Pings beside the test of that name.
    Pings { token: Token },
}

impl Hello {
    pub(crate) const LENGTH: usize = 32;

    pub(crate) fn encode(&self) -> [u8; Self::LENGTH] {
        let (kind, rest) = match self {
            Self::Session { random } => (1, random),
            Self::Pings { token } => (2, token),
        };
        let mut out = Fields::default();
        out.put(&MAGIC).put(&[kind]).put(&[0; 7]).put(rest);
        out.done()
    }

    pub(crate) fn decode(octets: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut from = Cursor(octets);
        if from.take::<8>()? != MAGIC {
            return None;
        }
        let [kind] = from.take()?;
        from.take::<7>()?;
        let rest = from.take()?;
        match kind {
            1 => Some(Self::Session { random: rest }),
            2 => Some(Self::Pings { token: rest }),
            _ => None,
        }
    }
}

/// Server to client: the answer to [`Hello::Session`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Welcome {
    pub(crate) status: Status,
    /// Where datagrams are echoed; 0: nowhere.
    pub(crate) echo_port: u16,
    /// What the server is willing to give to this session.
    pub(crate) most_ms: u32,
    pub(crate) most_octets: u64,
    /// The server's half of the payload's key.
    pub(crate) random: [u8; 16],
    pub(crate) token: Token,
    /// Never sent in a datagram: what proves that a datagram comes from a party of the session.
    pub(crate) secret: Token,
}

/// Whether the server takes the test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Ready,
    /// Too many tests at this moment.
    Busy,
    /// This client had its share of this hour.
    Spent,
}

impl Welcome {
    pub(crate) const LENGTH: usize = 72;

    pub(crate) fn refusal(status: Status) -> Self {
        Self {
            status,
            echo_port: 0,
            most_ms: 0,
            most_octets: 0,
            random: [0; 16],
            token: [0; 16],
            secret: [0; 16],
        }
    }

    pub(crate) fn encode(&self) -> [u8; Self::LENGTH] {
        let status = match self.status {
            Status::Ready => 0,
            Status::Busy => 1,
            Status::Spent => 2,
        };
        let mut out = Fields::default();
        out.put(&MAGIC)
            .put(&[status, 0])
            .put(&self.echo_port.to_be_bytes())
            .put(&self.most_ms.to_be_bytes())
            .put(&self.most_octets.to_be_bytes())
            .put(&self.random)
            .put(&self.token)
            .put(&self.secret);
        out.done()
    }

    pub(crate) fn decode(octets: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut from = Cursor(octets);
        if from.take::<8>()? != MAGIC {
            return None;
        }
        let [status, _] = from.take()?;
        Some(Self {
            status: match status {
                0 => Status::Ready,
                1 => Status::Busy,
                2 => Status::Spent,
                _ => return None,
            },
            echo_port: u16::from_be_bytes(from.take()?),
            most_ms: u32::from_be_bytes(from.take()?),
            most_octets: u64::from_be_bytes(from.take()?),
            random: from.take()?,
            token: from.take()?,
            secret: from.take()?,
        })
    }
}

/// Client to server: what to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Command {
    pub(crate) direction: Direction,
    pub(crate) most_ms: u32,
    pub(crate) most_octets: u64,
}

/// Which way the octets go, seen from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Down,
    Up,
}

impl Direction {
    const fn code(self) -> u8 {
        match self {
            Self::Down => b'D',
            Self::Up => b'U',
        }
    }

    /// What keeps the payloads of the two directions apart.
    pub(crate) const fn purpose(self) -> &'static [u8] {
        match self {
            Self::Down => b"babelst1 down",
            Self::Up => b"babelst1 up",
        }
    }
}

impl Command {
    pub(crate) const LENGTH: usize = 16;

    pub(crate) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = Fields::default();
        out.put(&[self.direction.code(), 0, 0, 0])
            .put(&self.most_ms.to_be_bytes())
            .put(&self.most_octets.to_be_bytes());
        out.done()
    }

    pub(crate) fn decode(octets: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut from = Cursor(octets);
        let [code, ..] = from.take::<4>()?;
        Some(Self {
            direction: match code {
                b'D' => Direction::Down,
                b'U' => Direction::Up,
                _ => return None,
            },
            most_ms: u32::from_be_bytes(from.take()?),
            most_octets: u64::from_be_bytes(from.take()?),
        })
    }
}

/// A datagram of the train and its echo: equally long, so that the echo amplifies nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Echo {
    pub(crate) token: Token,
    pub(crate) number: u32,
    proof: [u8; 16],
}

/// Who speaks in an [`Echo`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speaker {
    Client,
    Server,
}

impl Echo {
    pub(crate) const LENGTH: usize = 200;

    pub(crate) fn new(speaker: Speaker, token: Token, secret: &Token, number: u32) -> Self {
        Self {
            token,
            number,
            proof: proof(speaker, secret, number),
        }
    }

    /// Comes from who knows the secret.
    pub(crate) fn is_proven(&self, speaker: Speaker, secret: &Token) -> bool {
        proof(speaker, secret, self.number) == self.proof
    }

    pub(crate) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = Fields::default();
        out.put(&MAGIC)
            .put(&self.token)
            .put(&self.number.to_be_bytes())
            .put(&self.proof);
        out.done()
    }

    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        if octets.len() != Self::LENGTH {
            return None;
        }
        let mut from = Cursor(octets);
        if from.take::<8>()? != MAGIC {
            return None;
        }
        Some(Self {
            token: from.take()?,
            number: u32::from_be_bytes(from.take()?),
            proof: from.take()?,
        })
    }
}

/// All inputs are of fixed length, so a plain hash of secret and text is a sound proof.
fn proof(speaker: Speaker, secret: &Token, number: u32) -> [u8; 16] {
    let label: &[u8; 16] = match speaker {
        Speaker::Client => b"babelst1 to echo",
        Speaker::Server => b"babelst1 echoing",
    };
    let hash: [u8; 32] = Sha256::new()
        .chain_update(secret)
        .chain_update(label)
        .chain_update(number.to_be_bytes())
        .finalize()
        .into();
    Cursor(&hash).take().unwrap_or_default()
}

/// Writes fields one after the other; what is not written stays zero.
struct Fields<const N: usize> {
    octets: [u8; N],
    at: usize,
}

impl<const N: usize> Default for Fields<N> {
    fn default() -> Self {
        Self {
            octets: [0; N],
            at: 0,
        }
    }
}

impl<const N: usize> Fields<N> {
    fn put(&mut self, field: &[u8]) -> &mut Self {
        let end = self.at + field.len();
        if let Some(space) = self.octets.get_mut(self.at..end) {
            space.copy_from_slice(field);
        }
        self.at = end;
        self
    }

    fn done(&self) -> [u8; N] {
        debug_assert!(self.at <= N);
        self.octets
    }
}

/// Reads fields one after the other.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl Cursor<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        for hello in [
            Hello::Session { random: [7; 16] },
            Hello::Pings { token: [9; 16] },
        ] {
            assert_eq!(Hello::decode(&hello.encode()), Some(hello));
        }
        let welcome = Welcome {
            status: Status::Spent,
            echo_port: 6698,
            most_ms: 30_000,
            most_octets: 1 << 40,
            random: [1; 16],
            token: [2; 16],
            secret: [3; 16],
        };
        assert_eq!(Welcome::decode(&welcome.encode()), Some(welcome));
        for direction in [Direction::Down, Direction::Up] {
            let command = Command {
                direction,
                most_ms: 5,
                most_octets: 6,
            };
            assert_eq!(Command::decode(&command.encode()), Some(command));
        }
    }

    #[test]
    fn the_octets_are_those_of_the_document() {
        let hello = Hello::Session { random: [0xaa; 16] }.encode();
        assert_eq!(&hello[..8], b"babelst1");
        assert_eq!(&hello[8..16], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&hello[16..], [0xaa; 16]);
        let command = Command {
            direction: Direction::Up,
            most_ms: 0x01020304,
            most_octets: 0x05060708090a0b0c,
        };
        assert_eq!(
            command.encode(),
            [b'U', 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        );
    }

    #[test]
    fn an_echo_proves_who_sent_it() {
        let secret = [5; 16];
        let echo = Echo::new(Speaker::Client, [1; 16], &secret, 42);
        let read = Echo::decode(&echo.encode()).expect("an echo");
        assert_eq!(read, echo);
        assert!(read.is_proven(Speaker::Client, &secret));
        assert!(!read.is_proven(Speaker::Server, &secret));
        assert!(!read.is_proven(Speaker::Client, &[6; 16]));
        let other = Echo { number: 43, ..read };
        assert!(!other.is_proven(Speaker::Client, &secret));
        assert_eq!(Echo::decode(&echo.encode()[1..]), None);
        assert_eq!(Echo::decode(&[0; 200]), None);
    }
}
