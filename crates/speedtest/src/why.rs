//! Why a test was not measured, in words for the operator.

use crate::contract::Phase;
use std::fmt;
use std::io;

/// What went wrong; the phase is added where it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Why(String);

impl Why {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `phase: what went wrong`.
    pub(crate) fn during(self, phase: Phase) -> Self {
        Self(format!("{phase}: {}", self.0))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Why {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::UnexpectedEof => "the other side closed the connection half way".into(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                "the other side reset the connection".into()
            }
            io::ErrorKind::TimedOut => "no answer in time".into(),
            _ => error.to_string(),
        })
    }
}
