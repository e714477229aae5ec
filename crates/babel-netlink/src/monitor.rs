//! Following links, addresses and routes as they change.
//!
//! The socket does not block: wait for it with `AsFd` or `AsRawFd` (an `AsyncFd`, `poll`), then
//! [`Monitor::read`]. When changes come faster than they are read the kernel drops some and says
//! so once: [`ReadOutcome::Overrun`] means that everything must be read again with the request
//! socket, and that nothing older is left in the queue to confuse what was read.

use crate::abi;
use crate::error::Error;
use crate::notification::Notification;
use crate::socket::{DATAGRAM_OCTETS, enlarge_receive_buffer, receive_into};
use crate::wire::{Messages, PORT_ID_OFFSET};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use socket2::{SockFilter, SockRef};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Receive buffer asked for, in octets: several thousand notifications. Costs nothing unused.
const RECEIVE_BUFFER_OCTETS: usize = 4 * 1024 * 1024;

/// Datagrams read before others get their turn.
const READ_BUDGET: u32 = 1024;

/// Datagrams thrown away at most after an overrun; somebody may be writing as fast as we read.
const DISCARD_BUDGET: u32 = 100_000;

/// What to follow. Each listener on a route group costs whoever writes routes 2 to 4 us a route
/// if it is asleep, so leave out what nobody needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Groups {
    /// Links.
    pub links: bool,
    /// IPv4 and IPv6 addresses.
    pub addresses: bool,
    /// IPv4 routes, of all tables.
    pub ipv4_routes: bool,
    /// IPv6 routes, of all tables.
    pub ipv6_routes: bool,
}

impl Groups {
    fn each(self) -> [(bool, u32); 5] {
        [
            (self.links, abi::RTNLGRP_LINK),
            (self.addresses, abi::RTNLGRP_IPV4_IFADDR),
            (self.addresses, abi::RTNLGRP_IPV6_IFADDR),
            (self.ipv4_routes, abi::RTNLGRP_IPV4_ROUTE),
            (self.ipv6_routes, abi::RTNLGRP_IPV6_ROUTE),
        ]
    }
}

/// How a read ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum ReadOutcome {
    /// Nothing is left.
    Drained,
    /// There is more; come back without waiting for the socket to become readable.
    More,
    /// Notifications were lost: read all tables again.
    Overrun,
}

/// A socket that hears of changes in the network namespace it was made in.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    groups: Groups,
    ignored_port: Option<u32>,
    malformed: u64,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Opens a socket that follows `groups`. Needs no privilege.
    pub fn new(groups: Groups) -> Result<Self, Error> {
        Self::with_receive_buffer(groups, RECEIVE_BUFFER_OCTETS)
    }

    /// The same, with room for this many octets of notifications. The kernel counts its own
    /// overhead in, and without `CAP_NET_ADMIN` goes no further than `net.core.rmem_max`.
    pub fn with_receive_buffer(groups: Groups, octets: usize) -> Result<Self, Error> {
        let failed = |source| Error::Socket {
            action: "opening the monitor".to_owned(),
            source,
        };
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        // Connected, so that other processes cannot write to us.
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        socket.set_non_blocking(true).map_err(failed)?;
        enlarge_receive_buffer(&socket, octets);
        let buffer = Vec::with_capacity(DATAGRAM_OCTETS);
        let nothing = Groups::default();
        let mut monitor = Self {
            socket,
            groups: nothing,
            ignored_port: None,
            malformed: 0,
            buffer,
        };
        monitor.set_groups(groups)?;
        Ok(monitor)
    }

    /// Follows `groups` from now on. What changed in a group before it was joined was not heard:
    /// join first, then read the table.
    pub fn set_groups(&mut self, groups: Groups) -> Result<(), Error> {
        for ((is_member, group), (wanted, _)) in self.groups.each().into_iter().zip(groups.each()) {
            let changed = match (is_member, wanted) {
                (false, true) => self.socket.add_membership(group),
                (true, false) => self.socket.drop_membership(group),
                _ => Ok(()),
            };
            changed.map_err(|source| Error::Socket {
                action: format!("changing membership of notification group {group}"),
                source,
            })?;
        }
        self.groups = groups;
        Ok(())
    }

    /// Does not hear any more of what the request socket with this
    /// [`port_id`](crate::RouteSocket::port_id) changes.
    ///
    /// A filter drops it in the kernel, which spares the wake-up; where that is not allowed it is
    /// passed over when read.
    pub fn ignore_port(&mut self, port_id: u32) {
        self.ignored_port = Some(port_id);
        let offset = u32::try_from(PORT_ID_OFFSET).expect("invariant: it is 12");
        // The machine loads words in network order; the message holds the host's.
        let as_loaded = u32::from_be_bytes(port_id.to_ne_bytes());
        let program = [
            SockFilter::new(abi::BPF_LD_W_ABS, 0, 0, offset),
            SockFilter::new(abi::BPF_JMP_JEQ_K, 0, 1, as_loaded),
            SockFilter::new(abi::BPF_RET_K, 0, 0, 0),
            SockFilter::new(abi::BPF_RET_K, 0, 0, u32::MAX),
        ];
        let _ = SockRef::from(&self.socket).attach_filter(&program);
    }

    /// Hands what has come to `each`, at most a thousand notifications.
    pub fn read(&mut self, mut each: impl FnMut(Notification)) -> Result<ReadOutcome, Error> {
        for _ in 0..READ_BUDGET {
            match receive_into(&self.socket, &mut self.buffer, 0) {
                Ok(whole) => {
                    self.malformed += u64::from(!whole);
                    self.malformed += deliver(&self.buffer, self.ignored_port, &mut each);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(ReadOutcome::Drained);
                }
                Err(error) if is_overrun(&error) => {
                    self.discard();
                    return Ok(ReadOutcome::Overrun);
                }
                Err(source) => {
                    return Err(Error::Socket {
                        action: "reading notifications".into(),
                        source,
                    });
                }
            }
        }
        Ok(ReadOutcome::More)
    }

    /// What is followed.
    pub fn groups(&self) -> Groups {
        self.groups
    }

    /// Notifications that could not be read and were left out.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Empties the queue, so that what is read from the tables next is newer than what is read
    /// here after it.
    fn discard(&mut self) {
        for _ in 0..DISCARD_BUDGET {
            match receive_into(&self.socket, &mut self.buffer, 0) {
                Ok(_) => (),
                Err(error) if is_overrun(&error) => (),
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}

/// Reads one datagram; tells how many messages were malformed.
fn deliver(datagram: &[u8], ignored: Option<u32>, each: &mut impl FnMut(Notification)) -> u64 {
    let mut malformed = 0;
    for message in Messages::new(datagram) {
        let decoded = match &message {
            // Port 0 is the kernel: never ours.
            Ok(message) if message.port_id != 0 && Some(message.port_id) == ignored => Ok(None),
            Ok(message) => Notification::decode(message),
            Err(error) => Err(*error),
        };
        match decoded {
            Ok(Some(notification)) => each(notification),
            Ok(None) => (),
            Err(_) => malformed += 1,
        }
    }
    malformed
}

#[cfg(test)]
mod tests;
