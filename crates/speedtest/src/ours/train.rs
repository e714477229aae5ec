//! Loss: a paced train of datagrams, each echoed by the server at its own length.

use super::{Echo, Speaker, Token};
use crate::budget::Budget;
use crate::contract::{Loss, LossSource};
use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Between two datagrams.
pub(crate) const EVERY: Duration = Duration::from_millis(10);
/// How long the last echo may take.
const TAIL: Duration = Duration::from_secs(1);

/// Sends `count` datagrams and counts the echoes. `None`: not one came back, so that datagrams
/// may be blocked altogether; the loss of a link is not told by that.
pub(crate) fn measure(
    socket: &UdpSocket,
    (token, secret): (Token, &Token),
    count: u32,
    budget: &Budget,
    until: Instant,
) -> io::Result<Option<Loss>> {
    let begun = Instant::now();
    let mut echoed = vec![false; usize::try_from(count).unwrap_or(0)];
    let mut sent = 0;
    let mut last_sent = begun;
    while sent < count && Instant::now() < until && budget.left() > 4 * Echo::LENGTH as u64 {
        let datagram = Echo::new(Speaker::Client, token, secret, sent).encode();
        // Refused by the other side, or the queue is full: both are losses.
        if let Ok(octets) = socket.send(&datagram) {
            budget.spend(octets);
        }
        sent += 1;
        last_sent = Instant::now();
        let next = (begun + EVERY * sent).min(until);
        collect(socket, secret, &mut echoed, budget, next)?;
    }
    let end = (last_sent + TAIL).min(until);
    while Instant::now() < end && echoed.iter().take(sent as usize).any(|come| !come) {
        let step = (Instant::now() + EVERY).min(end);
        collect(socket, secret, &mut echoed, budget, step)?;
    }
    let came = echoed.iter().filter(|come| **come).count() as u64;
    let lost = u64::from(sent).saturating_sub(came);
    Ok((came > 0).then(|| Loss {
        ppm: u32::try_from(lost * 1_000_000 / u64::from(sent.max(1))).unwrap_or(u32::MAX),
        by: LossSource::Echo,
    }))
}

/// Takes echoes until `until`.
fn collect(
    socket: &UdpSocket,
    secret: &Token,
    echoed: &mut [bool],
    budget: &Budget,
    until: Instant,
) -> io::Result<()> {
    let mut datagram = [0; Echo::LENGTH + 1];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        socket.set_read_timeout(Some(left))?;
        // Errors are what ICMP reported of an earlier datagram; the echo counts or is missing.
        let Ok(octets) = socket.recv(&mut datagram) else {
            continue;
        };
        budget.spend(octets);
        let known = Echo::decode(datagram.get(..octets).unwrap_or_default())
            .filter(|echo| echo.is_proven(Speaker::Server, secret));
        if let Some(echo) = known
            && let Some(mark) = echoed.get_mut(echo.number as usize)
        {
            *mark = true;
        }
    }
}
