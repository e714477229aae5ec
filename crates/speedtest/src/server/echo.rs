//! Echoes datagrams of running tests, at their own length and from their own client only.

use super::quota::Client;
use super::{LOOK, Shared, lock};
use crate::ours::{Echo, Speaker};
use std::net::UdpSocket;

/// Until the responder stops. What is not understood is not answered.
pub(super) fn serve(socket: &UdpSocket, shared: &Shared) {
    let _ = socket.set_read_timeout(Some(LOOK));
    let mut datagram = [0; Echo::LENGTH + 1];
    while !shared.stopping() {
        // Errors are time-outs, or what ICMP reports of an echo.
        let Ok((octets, from)) = socket.recv_from(&mut datagram) else {
            continue;
        };
        let Some(asked) = Echo::decode(datagram.get(..octets).unwrap_or_default()) else {
            continue;
        };
        let secret = {
            let mut sessions = lock(&shared.sessions);
            let Some(live) = sessions.get_mut(&asked.token) else {
                continue;
            };
            if live.client != Client::of(from.ip())
                || live.echoes == 0
                || !asked.is_proven(Speaker::Client, &live.secret)
            {
                continue;
            }
            live.echoes -= 1;
            live.secret
        };
        let echo = Echo::new(Speaker::Server, asked.token, &secret, asked.number);
        let _ = socket.send_to(&echo.encode(), from);
    }
}
