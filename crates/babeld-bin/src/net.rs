//! The UDP socket: one for all links.
//!
//! Receiving tells the link and whether a packet came to the group; sending names the link and
//! the source address. No error of either ends the process: they are counted, and the caller
//! comes back later. One system call a packet: on the test machine batches of 32 saved a
//! quarter of about 4 µs, and a full table of 100 000 routes is only 1300 packets.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Room for a burst: a full dump of a neighbour with many routes, from many neighbours at once.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Octets of the largest datagram.
const LARGEST: usize = 65_536;
/// CS6, "network control", with the two low bits for ECN zero.
const TRAFFIC_CLASS: u32 = 0xC0;

/// A datagram that arrived.
#[derive(Debug)]
pub struct Received<'a> {
    /// On this interface.
    pub ifindex: u32,
    /// From here.
    pub source: Ipv6Addr,
    /// To the group rather than to us.
    pub multicast: bool,
    /// What it holds.
    pub payload: &'a [u8],
}

/// What became of a datagram to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// On its way.
    Yes,
    /// No room: keep it and try again a few milliseconds later.
    Later,
    /// The kernel refuses it, and would again.
    Never(Errno),
}

/// Numbers since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Errors of receiving.
    pub receive_errors: u64,
    /// Datagrams from another port than Babel's, or without a known interface.
    pub refused: u64,
    /// Datagrams the kernel refused to send.
    pub send_errors: u64,
    /// Times there was no room to send.
    pub send_blocked: u64,
}

/// The socket.
pub struct BabelSocket {
    socket: UdpSocket,
    group: Ipv6Addr,
    port: u16,
    payload: Vec<u8>,
    control: Vec<u8>,
    counters: Counters,
}

impl BabelSocket {
    /// Binds to `port` on all IPv6 addresses; needs a running tokio.
    pub fn bind(port: u16, group: Ipv6Addr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_only_v6(true)?;
        socket.set_reuse_address(true)?;
        socket.set_multicast_loop_v6(false)?;
        socket.set_multicast_hops_v6(1)?;
        socket.set_unicast_hops_v6(1)?;
        socket.set_tclass_v6(TRAFFIC_CLASS)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        // Beyond the system's limit if we may, else as much as allowed.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err()
            && let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER)
        {
            tracing::info!("the receive buffer keeps its size: {error}");
        }
        let address = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
        socket.bind(&address.into())?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            group,
            port,
            payload: vec![0; LARGEST],
            control: cmsg_space!(libc::in6_pktinfo),
            counters: Counters::default(),
        })
    }

    /// Listens to the group on an interface.
    pub fn join(&self, ifindex: u32) -> io::Result<()> {
        match SockRef::from(&self.socket).join_multicast_v6(&self.group, ifindex) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            result => result,
        }
    }

    /// From now on the kernel fragments nothing: what does not fit is an error, and no packet is
    /// smaller on the wire than we think. All our packets fit the MTU of their interface.
    pub fn forbid_fragments(&self) -> io::Result<()> {
        Ok(setsockopt(&self.socket, sockopt::Ipv6DontFrag, &true)?)
    }

    /// Stops listening on an interface. The kernel does so itself for one that vanished.
    pub fn leave(&self, ifindex: u32) {
        let left = SockRef::from(&self.socket).leave_multicast_v6(&self.group, ifindex);
        if let Err(error) = left {
            tracing::debug!("leaving {} on interface {ifindex}: {error}", self.group);
        }
    }

    /// Waits until something arrived. Dropping the future loses nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// The next datagram; `None` if there is none. What is refused is told, so that it costs
    /// budget, too.
    pub fn receive(&mut self) -> Option<Result<Received<'_>, Refused>> {
        let taken = {
            let (socket, payload) = (&self.socket, &mut self.payload);
            let read = || receive_one(socket, payload, &mut self.control);
            socket.try_io(Interest::READABLE, read)
        };
        let datagram = match taken {
            Ok(datagram) => datagram,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) => {
                self.counters.receive_errors += 1;
                tracing::debug!("recvmsg: {error}");
                return Some(Err(Refused::Error));
            }
        };
        let accepted = datagram
            .as_ref()
            .filter(|d| d.source.port() == self.port && d.length <= self.payload.len());
        let Some(d) = accepted else {
            self.counters.refused += 1;
            return Some(Err(Refused::Foreign));
        };
        Some(Ok(Received {
            ifindex: d.ifindex,
            source: *d.source.ip(),
            multicast: d.destination.is_multicast(),
            payload: self.payload.get(..d.length).unwrap_or_default(),
        }))
    }

    /// Sends from `source` on an interface, to `destination` or, if `None`, to the group.
    pub fn send(
        &mut self,
        ifindex: u32,
        source: Ipv6Addr,
        destination: Option<Ipv6Addr>,
        payload: &[u8],
    ) -> Sent {
        let destination = destination.unwrap_or(self.group);
        let address = SocketAddrV6::new(destination, self.port, 0, ifindex);
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr {
                s6_addr: source.octets(),
            },
            ipi6_ifindex: ifindex,
        };
        let result = sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(payload)],
            &[ControlMessage::Ipv6PacketInfo(&info)],
            MsgFlags::MSG_DONTWAIT,
            Some(&SockaddrIn6::from(address)),
        );
        match result {
            Ok(_) => Sent::Yes,
            Err(errno) => self.not_sent(errno),
        }
    }

    /// Numbers since start.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn not_sent(&mut self, errno: Errno) -> Sent {
        if matches!(
            errno,
            Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM | Errno::EINTR
        ) {
            self.counters.send_blocked += 1;
            return Sent::Later;
        }
        self.counters.send_errors += 1;
        Sent::Never(errno)
    }
}

impl std::fmt::Debug for BabelSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BabelSocket")
            .field("group", &self.group)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Why there is no datagram to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// From another port than Babel's, cut short, or without its addresses.
    Foreign,
    /// The kernel reports an error: come back a little later.
    Error,
}

/// What one call to the kernel brought.
struct Datagram {
    source: SocketAddrV6,
    destination: Ipv6Addr,
    ifindex: u32,
    length: usize,
}

/// One datagram into `payload`; `None` if it lacks its addresses or did not fit.
fn receive_one(
    socket: &UdpSocket,
    payload: &mut [u8],
    control: &mut [u8],
) -> io::Result<Option<Datagram>> {
    let mut slices = [IoSliceMut::new(payload)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut slices, Some(control), flags)?;
    let cut = MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC;
    if message.flags.intersects(cut) {
        return Ok(None);
    }
    let Some(source) = message.address.map(SocketAddrV6::from) else {
        return Ok(None);
    };
    let info = message.cmsgs()?.find_map(|cmsg| match cmsg {
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(info),
        _ => None,
    });
    Ok(info.map(|info| Datagram {
        source,
        destination: info.ipi6_addr.s6_addr.into(),
        ifindex: info.ipi6_ifindex,
        length: message.bytes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as StdSocket;
    use std::time::Duration;

    const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6);
    const LO: u32 = 1;

    async fn next(socket: &mut BabelSocket) -> Result<(u32, Ipv6Addr, bool, Vec<u8>), Refused> {
        let deadline = Duration::from_secs(5);
        let ready = tokio::time::timeout(deadline, socket.readable()).await;
        ready.expect("a datagram in time").expect("readable");
        let received = socket.receive().expect("a datagram")?;
        let payload = received.payload.to_vec();
        Ok((
            received.ifindex,
            received.source,
            received.multicast,
            payload,
        ))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_datagram_tells_its_link_and_source_and_other_ports_are_refused() {
        let other = StdSocket::bind("[::1]:0").expect("a socket");
        // A port that was free a moment ago.
        let port = {
            let probe = StdSocket::bind("[::1]:0").expect("a socket");
            probe.local_addr().expect("an address").port()
        };
        let mut socket = BabelSocket::bind(port, GROUP).expect("a socket");
        let here = Ipv6Addr::LOCALHOST;
        assert_eq!(socket.send(LO, here, Some(here), b"hello"), Sent::Yes);
        let received = next(&mut socket).await.expect("from our port");
        assert_eq!(received, (LO, here, false, b"hello".to_vec()));
        other.send_to(b"stranger", (here, port)).expect("sent");
        assert_eq!(next(&mut socket).await, Err(Refused::Foreign));
        assert_eq!(socket.counters().refused, 1);
        assert!(socket.receive().is_none());
    }

    // 8966-4-1, 8966-4-9
    #[tokio::test(flavor = "current_thread")]
    async fn packets_go_one_hop_and_the_largest_are_received_whole() {
        let port = {
            let probe = StdSocket::bind("[::1]:0").expect("a socket");
            probe.local_addr().expect("an address").port()
        };
        let mut socket = BabelSocket::bind(port, GROUP).expect("a socket");
        let options = SockRef::from(&socket.socket);
        assert_eq!(options.unicast_hops_v6().ok(), Some(1));
        assert_eq!(options.multicast_hops_v6().ok(), Some(1));
        let here = Ipv6Addr::LOCALHOST;
        let largest = vec![42; 65_487];
        assert_eq!(socket.send(LO, here, Some(here), &largest), Sent::Yes);
        let (.., payload) = next(&mut socket).await.expect("from our port");
        assert_eq!(payload, largest);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_cannot_be_sent_is_counted_and_not_fatal() {
        let mut socket = BabelSocket::bind(0, GROUP).expect("a socket");
        let foreign = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);
        let sent = socket.send(u32::MAX >> 1, foreign, None, b"x");
        assert!(matches!(sent, Sent::Never(_)), "{sent:?}");
        assert_eq!(socket.counters().send_errors, 1);
    }
}
