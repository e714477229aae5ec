//! The request socket: one request, one answer, synchronously.
//!
//! Linux carries out a route-netlink request *inside* the send call, and queues the answer before
//! that call returns; a dump is produced inside the receive calls. So a blocking exchange costs the
//! caller the kernel's work and never a wait for somebody else, and may be used from an
//! event loop. Should an answer not be there all the same, it is given up after
//! [`ANSWER_TIMEOUT`]; a late answer is told by its sequence number and dropped.

use crate::abi;
use crate::error::{Error, Refusal, outcome};
use crate::wire::{Encoder, Message, Messages, stamp};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// How long an answer may take. See the module's text: it is never needed by a healthy kernel.
pub const ANSWER_TIMEOUT: Duration = Duration::from_millis(100);

/// Room for the largest datagram the kernel makes for a dump (32 KiB), twice.
pub(crate) const DATAGRAM_OCTETS: usize = 64 * 1024;

/// How often a dump is begun again because the table changed while it was read.
const DUMP_ATTEMPTS: u32 = 4;

/// More than the receive buffer can hold.
const DRAIN_DATAGRAMS: u32 = 10_000;

/// Receive buffer of the request socket: room for a refusal of each message of a full batch.
const RECEIVE_BUFFER_OCTETS: usize = 1024 * 1024;

/// Whether what a dump returned existed at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum DumpEnd {
    /// The table did not change while it was read.
    Consistent,
    /// It kept changing; entries may be missing or doubled. Reconcile again later.
    Changing,
}

/// A blocking route-netlink socket, bound to the network namespace of the thread that made it.
#[derive(Debug)]
pub struct RouteSocket {
    socket: Socket,
    port_id: u32,
    sequence: u32,
    strict: bool,
    malformed: u64,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl RouteSocket {
    /// Opens and binds a socket. Needs no privilege by itself; changes need `CAP_NET_ADMIN`.
    pub fn new() -> Result<Self, Error> {
        let failed = |source| Error::Socket {
            action: "opening".to_owned(),
            source,
        };
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        let port_id = socket.bind_auto().map_err(failed)?.port_number();
        // Connected, so that no other process can put messages into our queue.
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        // Each of these is a convenience that older kernels lack.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        let strict = socket.set_netlink_get_strict_chk(true).is_ok();
        let timeout =
            TimeVal::milliseconds(i64::try_from(ANSWER_TIMEOUT.as_millis()).unwrap_or(100));
        setsockopt(&socket, sockopt::ReceiveTimeout, &timeout)
            .map_err(|errno| failed(errno.into()))?;
        enlarge_receive_buffer(&socket, RECEIVE_BUFFER_OCTETS);
        Ok(Self {
            socket,
            port_id,
            sequence: 0,
            strict,
            malformed: 0,
            request: Vec::new(),
            answer: Vec::with_capacity(DATAGRAM_OCTETS),
        })
    }

    /// Our address: notifications of what we changed carry it (`nlmsg_pid`).
    pub fn port_id(&self) -> u32 {
        self.port_id
    }

    /// Whether the kernel filters dumps for us (Linux 4.20).
    pub fn filters_dumps(&self) -> bool {
        self.strict
    }

    /// Answers that could not be read and were left out.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Sends one request and waits for its acknowledgment.
    pub(crate) fn change(
        &mut self,
        kind: u16,
        flags: u16,
        action: impl Fn() -> String,
        fill: impl FnOnce(&mut Encoder<'_>),
    ) -> Result<(), Error> {
        let sequence = self
            .send_one(kind, flags | abi::NLM_F_ACK, fill)
            .map_err(|source| Error::Socket {
                action: action(),
                source,
            })?;
        self.collect(sequence, &action, &mut |_| ()).map(drop)
    }

    /// Sends one request whose answer is one object, and hands that to `each`.
    pub(crate) fn get(
        &mut self,
        kind: u16,
        action: impl Fn() -> String,
        fill: impl FnOnce(&mut Encoder<'_>),
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Result<(), Error> {
        // With an acknowledgment, the end of the answer is the same for all requests.
        let sequence = self
            .send_one(kind, abi::NLM_F_ACK, fill)
            .map_err(|source| Error::Socket {
                action: action(),
                source,
            })?;
        self.collect(sequence, &action, each).map(drop)
    }

    /// Reads a whole table, beginning again when it changes underneath. `each` gets `None` at
    /// every new beginning but the first: what it has seen is to be forgotten.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        action: impl Fn() -> String,
        fill: impl Fn(&mut Encoder<'_>),
        each: &mut dyn FnMut(Option<&Message<'_>>),
    ) -> Result<DumpEnd, Error> {
        for attempt in 0..DUMP_ATTEMPTS {
            if attempt > 0 {
                each(None);
            }
            let sequence = self
                .send_one(kind, abi::NLM_F_DUMP, &fill)
                .map_err(|source| Error::Socket {
                    action: action(),
                    source,
                })?;
            let end = self.collect(sequence, &action, &mut |message| each(Some(message)))?;
            if end == DumpEnd::Consistent {
                return Ok(end);
            }
        }
        Ok(DumpEnd::Changing)
    }

    pub(crate) fn count_malformed(&mut self) {
        self.malformed += 1;
    }

    fn send_one(
        &mut self,
        kind: u16,
        flags: u16,
        fill: impl FnOnce(&mut Encoder<'_>),
    ) -> io::Result<u32> {
        let mut request = std::mem::take(&mut self.request);
        request.clear();
        let mut encoder = Encoder::begin(&mut request, kind, flags);
        fill(&mut encoder);
        encoder.finish();
        let sequence = self.next_sequences(1);
        stamp(&mut request, 0, sequence, 0);
        let sent = self.send(&request);
        self.request = request;
        sent.map(|()| sequence)
    }

    fn collect(
        &mut self,
        sequence: u32,
        action: &dyn Fn() -> String,
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Result<DumpEnd, Error> {
        let mut end = DumpEnd::Consistent;
        loop {
            let (answer, received) = self.receive();
            if let Err(source) = received {
                self.recycle(answer);
                self.drain();
                return Err(match source.kind() {
                    io::ErrorKind::WouldBlock => Error::NoAnswer { action: action() },
                    _ => Error::Socket {
                        action: action(),
                        source,
                    },
                });
            }
            let done = self.read_answers(&answer, sequence, &mut end, each);
            self.recycle(answer);
            match done {
                None => (),
                Some(Ok(())) => return Ok(end),
                Some(Err(refusal)) => {
                    return Err(Error::Refused {
                        action: action(),
                        refusal,
                    });
                }
            }
        }
    }

    /// Reads one datagram; gives the outcome once the answer is complete.
    fn read_answers(
        &mut self,
        datagram: &[u8],
        sequence: u32,
        end: &mut DumpEnd,
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Option<Result<(), Refusal>> {
        for message in Messages::new(datagram) {
            let Ok(message) = message else {
                self.malformed += 1;
                continue;
            };
            if message.sequence != sequence {
                continue;
            }
            if message.flags & abi::NLM_F_DUMP_INTR != 0 && message.kind != abi::NLMSG_ERROR {
                *end = DumpEnd::Changing;
            }
            match message.kind {
                abi::NLMSG_ERROR | abi::NLMSG_DONE => return Some(outcome(&message)),
                abi::NLMSG_OVERRUN => return Some(Err(Refusal::new(Errno::ENOBUFS))),
                _ => each(&message),
            }
        }
        None
    }

    /// The first of `count` sequence numbers in a row. None is 0, which notifications carry.
    pub(crate) fn next_sequences(&mut self, count: usize) -> u32 {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if self.sequence >= u32::MAX - count {
            self.sequence = 0;
        }
        let first = self.sequence + 1;
        self.sequence = self.sequence.saturating_add(count);
        first
    }

    pub(crate) fn send(&self, octets: &[u8]) -> io::Result<()> {
        loop {
            match self.socket.send(octets, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// One datagram. The caller gives the buffer back.
    pub(crate) fn receive(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut answer = std::mem::take(&mut self.answer);
        let received = receive_into(&self.socket, &mut answer, 0).map(|whole| {
            if !whole {
                self.malformed += 1;
            }
        });
        (answer, received)
    }

    /// Throws away what is queued. After an answer was lost for want of room, what came before
    /// it still fills the queue, and the next request's answer would be lost too.
    pub(crate) fn drain(&mut self) {
        let mut answer = std::mem::take(&mut self.answer);
        for _ in 0..DRAIN_DATAGRAMS {
            match receive_into(&self.socket, &mut answer, libc::MSG_DONTWAIT) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An overrun reported once more; the queue is behind it.
                Ok(_) | Err(_) => (),
            }
        }
        self.recycle(answer);
    }

    /// The octets of the last request that was not a batch.
    #[cfg(test)]
    pub(crate) fn last_request(&self) -> &[u8] {
        &self.request
    }

    /// So small that the answers to a batch do not fit.
    #[cfg(test)]
    pub(crate) fn shrink_receive_buffer(&self) {
        setsockopt(&self.socket, sockopt::RcvBuf, &0).expect("a buffer can always be smaller");
    }

    pub(crate) fn recycle(&mut self, answer: Vec<u8>) {
        self.answer = answer;
    }
}

impl AsFd for RouteSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Receives one datagram; tells whether all of it fitted.
pub(crate) fn receive_into(
    socket: &Socket,
    buffer: &mut Vec<u8>,
    flags: libc::c_int,
) -> io::Result<bool> {
    loop {
        buffer.clear();
        match socket.recv(buffer, flags | libc::MSG_TRUNC) {
            Ok(octets) => return Ok(octets <= buffer.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

/// Asks for a larger receive buffer: beyond the system's limit with `CAP_NET_ADMIN`, up to it
/// without. The default is what remains when both fail.
pub(crate) fn enlarge_receive_buffer(socket: &Socket, octets: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &octets).is_err() {
        let _ = setsockopt(socket, sockopt::RcvBuf, &octets);
    }
}

#[cfg(test)]
mod tests;
