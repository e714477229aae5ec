//! Many route operations in one send.
//!
//! Only the last message of a send asks for an acknowledgment: the kernel reports each failure by
//! its sequence number anyway, and applies the rest. That takes half the time of one request and
//! answer a route. Sort operations by prefix: neighbours in the table are cheaper for the kernel.

use crate::abi;
use crate::error::{Error, Refusal, outcome};
use crate::route::Route;
use crate::route_codec::encode;
use crate::socket::RouteSocket;
use crate::wire::{Encoder, Messages, stamp};
use nix::errno::Errno;
use std::io;

/// Most operations in one send. More gain nothing (measured: 16 give nearly all of it), and 256
/// already hold the caller for about a millisecond.
pub const OPERATIONS_PER_SEND: usize = 256;

/// Route operations waiting to be carried out, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    octets: Vec<u8>,
    /// Where each message starts.
    starts: Vec<usize>,
}

impl Batch {
    /// An empty batch. It keeps its memory from one use to the next.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route that is not there; `EEXIST` if one of the same destination, source, table,
    /// type of service and priority is, whoever owns it.
    pub fn add(&mut self, route: &Route) {
        self.push(
            abi::RTM_NEWROUTE,
            abi::NLM_F_CREATE | abi::NLM_F_EXCL,
            route,
        );
    }

    /// Puts a route in the place of one of the same destination, source, table, type of service
    /// and priority, without an instant between; adds it if there is none.
    ///
    /// The kernel does not look at the protocol: this takes over an administrator's route. Use it
    /// only for what is known to be one's own.
    pub fn replace(&mut self, route: &Route) {
        self.push(
            abi::RTM_NEWROUTE,
            abi::NLM_F_CREATE | abi::NLM_F_REPLACE,
            route,
        );
    }

    /// Adds a route after those of the same destination and priority (for IPv6, as one more next
    /// hop of theirs).
    pub fn append(&mut self, route: &Route) {
        self.push(
            abi::RTM_NEWROUTE,
            abi::NLM_F_CREATE | abi::NLM_F_APPEND,
            route,
        );
    }

    /// Deletes the first route that fits all that is given, protocol included; `ESRCH` if none.
    pub fn delete(&mut self, route: &Route) {
        self.push(abi::RTM_DELROUTE, 0, route);
    }

    /// Forgets all operations.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.starts.clear();
    }

    /// How many operations wait.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    fn push(&mut self, kind: u16, flags: u16, route: &Route) {
        self.starts.push(self.octets.len());
        let mut encoder = Encoder::begin(&mut self.octets, kind, flags);
        encode(&mut encoder, route);
        encoder.finish();
    }
}

impl RouteSocket {
    /// Carries out a batch and empties it. There is one result for each operation, in order; an
    /// operation that failed does not keep the others from being carried out.
    ///
    /// More than [`OPERATIONS_PER_SEND`] are sent in several parts, without pause: a caller with
    /// other things to do keeps its batches at that size. If an answer is lost, the operations it
    /// might have been about count as failed with `ENOBUFS` or `ETIMEDOUT`, though the kernel
    /// may have carried them out: read the table again.
    pub fn execute(&mut self, batch: &mut Batch) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(batch.len());
        let mut from = 0;
        while from < batch.len() {
            let to = batch.len().min(from + OPERATIONS_PER_SEND);
            let lost = self.execute_part(batch, from..to, &mut results);
            from = to;
            if let Err(errno) = lost {
                // Do not spend another time-out on each of the parts to come.
                results.resize(batch.len(), Err(Refusal::new(errno)));
                break;
            }
        }
        batch.clear();
        results
    }

    /// Adds one route: see [`Batch::add`].
    pub fn add_route(&mut self, route: &Route) -> Result<(), Error> {
        let flags = abi::NLM_F_CREATE | abi::NLM_F_EXCL;
        let action = || format!("adding route {route}");
        self.change(abi::RTM_NEWROUTE, flags, action, |encoder| {
            encode(encoder, route)
        })
    }

    /// Replaces one route: see [`Batch::replace`].
    pub fn replace_route(&mut self, route: &Route) -> Result<(), Error> {
        let flags = abi::NLM_F_CREATE | abi::NLM_F_REPLACE;
        let action = || format!("replacing route {route}");
        self.change(abi::RTM_NEWROUTE, flags, action, |encoder| {
            encode(encoder, route)
        })
    }

    /// Deletes one route: see [`Batch::delete`].
    pub fn delete_route(&mut self, route: &Route) -> Result<(), Error> {
        let action = || format!("deleting route {route}");
        self.change(abi::RTM_DELROUTE, 0, action, |encoder| {
            encode(encoder, route)
        })
    }

    /// Sends the operations of one range and appends their results. An error means that nothing
    /// more should be sent; results for the range are there all the same.
    fn execute_part(
        &mut self,
        batch: &mut Batch,
        range: std::ops::Range<usize>,
        results: &mut Vec<Result<(), Refusal>>,
    ) -> Result<(), Errno> {
        let base = results.len();
        let Some(starts) = batch.starts.get(range.clone()) else {
            return Ok(());
        };
        let (Some(&begin), Some(&last_start)) = (starts.first(), starts.last()) else {
            return Ok(());
        };
        let end = batch
            .starts
            .get(range.end)
            .copied()
            .unwrap_or(batch.octets.len());
        let first = self.next_sequences(starts.len());
        for (sequence, &start) in (first..).zip(starts) {
            let flags = if start == last_start {
                abi::NLM_F_ACK
            } else {
                0
            };
            stamp(&mut batch.octets, start, sequence, flags);
        }
        let part = batch.octets.get(begin..end).unwrap_or_default();
        let sent = self.send(part);
        results.resize(base + starts.len(), Ok(()));
        let results = results.get_mut(base..).unwrap_or_default();
        let answered = match sent {
            Ok(()) => self.collect_results(first, results),
            Err(error) => Err((0, errno_of(&error))),
        };
        answered.map_err(|(unanswered, errno)| {
            for result in results.get_mut(unanswered..).unwrap_or_default() {
                if result.is_ok() {
                    *result = Err(Refusal::new(errno));
                }
            }
            errno
        })
    }

    /// Reads answers until the last operation has one. An error tells from which operation on
    /// an answer may have been lost.
    fn collect_results(
        &mut self,
        first: u32,
        results: &mut [Result<(), Refusal>],
    ) -> Result<(), (usize, Errno)> {
        // The kernel answers in order: a refusal says that all before it have been dealt with.
        let mut answered = 0;
        loop {
            let (answer, received) = self.receive();
            if let Err(error) = received {
                self.recycle(answer);
                self.drain();
                return Err((answered, errno_of(&error)));
            }
            for message in Messages::new(&answer) {
                let Ok(message) = message else {
                    self.count_malformed();
                    continue;
                };
                let index = message.sequence.wrapping_sub(first) as usize;
                if message.kind == abi::NLMSG_ERROR
                    && let Some(result) = results.get_mut(index)
                {
                    *result = outcome(&message);
                    answered = index + 1;
                }
            }
            self.recycle(answer);
            if answered == results.len() {
                return Ok(());
            }
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::WouldBlock => Errno::ETIMEDOUT,
        _ => error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
    }
}

#[cfg(test)]
mod tests;
