//! What can go wrong, in words that name the object.

use crate::abi;
use crate::wire::{Attributes, HEADER_OCTETS, Message, read_u32};
use nix::errno::Errno;
use std::fmt;
use std::io;

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel understood and said no.
    #[error("{action}: {refusal}")]
    Refused {
        /// What was asked, with its object: `creating veth "a" with peer "b"`.
        action: String,
        /// Its answer.
        refusal: Refusal,
    },
    /// The socket failed.
    #[error("{action}: netlink socket: {source}")]
    Socket {
        /// What was being done.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The kernel did not answer in time: see [`RouteSocket`](crate::RouteSocket).
    #[error("{action}: the kernel did not answer")]
    NoAnswer {
        /// What was asked.
        action: String,
    },
    /// The interface name is empty, over 15 octets, or holds a slash, a space or a NUL.
    #[error("{0:?} cannot be an interface name: 1 to 15 octets, without '/', spaces and NUL")]
    InterfaceName(String),
}

impl Error {
    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.errno),
            Self::Socket { source, .. } => source.raw_os_error().map(Errno::from_raw),
            Self::NoAnswer { .. } | Self::InterfaceName(_) => None,
        }
    }
}

/// The kernel's "no" to one operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The error number; `ETIMEDOUT` if no answer came, `ENOBUFS` if the answer was lost.
    pub errno: Errno,
    /// The kernel's own words (extended acknowledgment), when it gave any.
    pub message: Option<Box<str>>,
}

impl Refusal {
    pub(crate) fn new(errno: Errno) -> Self {
        Self {
            errno,
            message: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.errno.desc())?;
        if let Some(message) = &self.message {
            write!(f, " ({message})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Reads an acknowledgment, or the error code at the end of a dump.
///
/// An acknowledgment too short to hold a code counts as `EBADMSG`.
pub(crate) fn outcome(message: &Message<'_>) -> Result<(), Refusal> {
    let Some(code) = read_u32(message.payload, 0) else {
        // Old kernels end a dump with nothing at all.
        return match message.kind {
            abi::NLMSG_DONE => Ok(()),
            _ => Err(Refusal::new(Errno::EBADMSG)),
        };
    };
    let code = i32::from_ne_bytes(code.to_ne_bytes());
    if code == 0 || (message.kind == abi::NLMSG_DONE && code > 0) {
        return Ok(());
    }
    let errno = Errno::from_raw(code.saturating_neg());
    let message = extended_text(message).map(String::into_boxed_str);
    Err(Refusal { errno, message })
}

fn extended_text(message: &Message<'_>) -> Option<String> {
    if message.flags & abi::NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let header_octets = match message.kind {
        abi::NLMSG_DONE => 4,
        _ if message.flags & abi::NLM_F_CAPPED != 0 => 4 + HEADER_OCTETS,
        // The request is echoed whole, at least its header.
        _ => 4 + (read_u32(message.payload, 4)? as usize).max(HEADER_OCTETS),
    };
    Attributes::after(message.payload, header_octets)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind == abi::NLMSGERR_ATTR_MSG)
        .map(|attribute| attribute.string())
}

#[cfg(test)]
mod tests;
