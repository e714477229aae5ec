//! What the kernel knows of a TCP connection of ours, asked over netlink (`sock_diag`).
//!
//! `getsockopt(TCP_INFO)` has no safe wrapper among our dependencies; this gives the same
//! structure. Where the kernel does not answer, callers do without.

use netlink_sys::{Socket, SocketAddr as Kernel, protocols::NETLINK_SOCK_DIAG};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};

/// `linux/sock_diag.h`, `linux/inet_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const TCP: u8 = 6;
/// Octets before the attributes: `nlmsghdr` and `inet_diag_msg`.
const BEFORE_ATTRIBUTES: usize = 16 + 72;

/// Part of `struct tcp_info`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct TcpInfo {
    pub(crate) rtt_us: u32,
    pub(crate) min_rtt_us: u32,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_retransmitted: u64,
}

/// One question at a time.
pub(crate) struct Asker {
    netlink: Socket,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Asker {
    /// About this connection.
    pub(crate) fn new(stream: &TcpStream) -> io::Result<Self> {
        let mut netlink = Socket::new(NETLINK_SOCK_DIAG)?;
        netlink.bind_auto()?;
        netlink.set_non_blocking(true)?;
        Ok(Self {
            netlink,
            local: stream.local_addr()?,
            remote: stream.peer_addr()?,
        })
    }

    /// `None`: the kernel does not know the connection, or does not tell.
    pub(crate) fn ask(&self) -> Option<TcpInfo> {
        let kernel = Kernel::new(0, 0);
        self.netlink.send_to(&self.question(), &kernel, 0).ok()?;
        // The kernel answers before `send` returns.
        let (answer, _) = self.netlink.recv_from_full().ok()?;
        attributes(&answer)
    }

    fn question(&self) -> Vec<u8> {
        let (local, remote) = (self.local, self.remote);
        let mut out = Vec::with_capacity(72);
        out.extend(72_u32.to_ne_bytes());
        out.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        out.extend(NLM_F_REQUEST.to_ne_bytes());
        out.extend([0; 8]);
        let family = if local.is_ipv4() {
            libc_af::INET
        } else {
            libc_af::INET6
        };
        out.extend([family, TCP, 1 << (INET_DIAG_INFO - 1), 0]);
        out.extend(u32::MAX.to_ne_bytes());
        out.extend(local.port().to_be_bytes());
        out.extend(remote.port().to_be_bytes());
        out.extend(octets(local.ip()));
        out.extend(octets(remote.ip()));
        let scope = match local {
            SocketAddr::V6(local) => local.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        out.extend(scope.to_ne_bytes());
        out.extend([0xff; 8]);
        out
    }
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asker({} {})", self.local, self.remote)
    }
}

/// The address families as netlink has them.
mod libc_af {
    pub(super) const INET: u8 = 2;
    pub(super) const INET6: u8 = 10;
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            if let Some(front) = octets.first_chunk_mut() {
                *front = address.octets();
            }
            octets
        }
    }
}

fn attributes(answer: &[u8]) -> Option<TcpInfo> {
    let kind = answer.get(4..)?.first_chunk()?;
    if u16::from_ne_bytes(*kind) != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let mut rest = answer.get(BEFORE_ATTRIBUTES..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        if kind == INET_DIAG_INFO {
            return Some(info(rest.get(4..length)?));
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

/// An older kernel's structure is shorter; what is missing is 0.
fn info(octets: &[u8]) -> TcpInfo {
    let word = |at: usize| {
        let field = octets.get(at..).and_then(|rest| rest.first_chunk());
        field.map_or(0, |field| u32::from_ne_bytes(*field))
    };
    let long = |at: usize| {
        let field = octets.get(at..).and_then(|rest| rest.first_chunk());
        field.map_or(0, |field| u64::from_ne_bytes(*field))
    };
    TcpInfo {
        rtt_us: word(68),
        min_rtt_us: word(148),
        bytes_acked: long(120),
        bytes_received: long(128),
        bytes_sent: long(200),
        bytes_retransmitted: long(208),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn the_kernel_tells_of_our_connection() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).expect("listening");
            let to = listener.local_addr().expect("bound");
            let mut one = TcpStream::connect(to).expect("connected");
            let (mut other, _) = listener.accept().expect("accepted");
            one.write_all(&[7; 5000]).expect("written");
            other.read_exact(&mut [0; 5000]).expect("read");
            other.write_all(b"x").expect("written");
            one.read_exact(&mut [0]).expect("read");
            let info = Asker::new(&one).expect("netlink").ask().expect("an answer");
            assert_eq!(info.bytes_acked, 5001, "{address}: {info:?}");
            assert_eq!(info.bytes_received, 1, "{info:?}");
            assert_eq!(info.bytes_retransmitted, 0, "{info:?}");
            assert!(info.bytes_sent >= 5000 && info.rtt_us > 0, "{info:?}");
        }
    }

    #[test]
    fn nonsense_is_no_answer() {
        assert_eq!(attributes(&[]), None);
        assert_eq!(attributes(&[0; 200]), None);
        let mut answer = vec![0; 200];
        answer[4] = 20;
        assert_eq!(attributes(&answer), None);
    }
}
