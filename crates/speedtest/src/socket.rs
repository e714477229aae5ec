//! Sockets of a test: marked and bound alike, before anything leaves them.
//!
//! Every socket that a test opens is made here; a packet without the mark would take the routing
//! table's way and measure another neighbour.

use crate::contract::Request;
use crate::url::{Host, Url};
use crate::why::Why;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;

/// How the sockets of one test are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialer {
    mark: Option<u32>,
    source: Option<IpAddr>,
    peer: Option<(Ipv6Addr, u32)>,
}

impl Dialer {
    pub(crate) const fn new(request: &Request) -> Self {
        Self {
            mark: request.mark,
            source: request.source,
            peer: request.peer,
        }
    }

    /// Where the server is. Only addresses of the bound source's family.
    pub(crate) fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Why> {
        let found: Vec<SocketAddr> = match url.host() {
            Host::Neighbour => {
                let (address, index) = self.peer.ok_or_else(|| {
                    Why::from("the host is `neighbour`, and no neighbour was given")
                })?;
                vec![SocketAddrV6::new(address, url.port(), 0, index).into()]
            }
            Host::Address(address) => vec![SocketAddr::new(*address, url.port())],
            Host::Name(name) => (name.as_str(), url.port())
                .to_socket_addrs()
                .map_err(|error| Why::new(format!("{name} is not found: {error}")))?
                .collect(),
        };
        let usable: Vec<SocketAddr> = found
            .into_iter()
            .filter(|to| {
                self.source
                    .is_none_or(|from| from.is_ipv4() == to.is_ipv4())
            })
            .take(MOST_ADDRESSES)
            .collect();
        if usable.is_empty() {
            return Err(Why::new(format!(
                "{} has no address of the family of the source address",
                url.host()
            )));
        }
        Ok(usable)
    }

    /// The first address that answers.
    pub(crate) fn connect_any(
        &self,
        addresses: &[SocketAddr],
        until: Instant,
    ) -> Result<TcpStream, Why> {
        let mut last = Why::from("no address");
        for (index, &address) in addresses.iter().enumerate() {
            let waiting = (addresses.len() - index) as u32;
            let share = until.saturating_duration_since(Instant::now()) / waiting;
            match self.connect(address, share) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Why::new(format!("{address}: {error}")),
            }
        }
        Err(last)
    }

    /// A connected socket, still blocking.
    pub(crate) fn connect(&self, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        if patience.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let socket = self.socket(to, Type::STREAM, Protocol::TCP)?;
        socket.connect_timeout(&SockAddr::from(to), patience)?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket.into())
    }

    /// A connected datagram socket.
    pub(crate) fn datagrams(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.socket(to, Type::DGRAM, Protocol::UDP)?;
        socket.connect(&SockAddr::from(to))?;
        Ok(socket.into())
    }

    fn socket(&self, to: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(to), kind, Some(protocol))?;
        if let Some(mark) = self.mark {
            socket
                .set_mark(mark)
                .map_err(|error| said(&error, "marking a socket (CAP_NET_ADMIN is needed)"))?;
        }
        if let Some(source) = self.source {
            socket
                .bind(&SockAddr::from(self.bound(source, to)))
                .map_err(|error| said(&error, &format!("binding to {source}")))?;
        }
        Ok(socket)
    }

    /// A link-local source needs the link of the destination.
    fn bound(&self, source: IpAddr, to: SocketAddr) -> SocketAddr {
        match (source, to) {
            (IpAddr::V6(address), SocketAddr::V6(to)) if address.is_unicast_link_local() => {
                let scope = match to.scope_id() {
                    0 => self.peer.map_or(0, |(_, index)| index),
                    scope => scope,
                };
                SocketAddrV6::new(address, 0, 0, scope).into()
            }
            (address, _) => SocketAddr::new(address, 0),
        }
    }
}

fn said(error: &io::Error, doing: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{doing}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    fn dialer() -> Dialer {
        Dialer {
            mark: None,
            source: None,
            peer: None,
        }
    }

    #[test]
    fn neighbour_is_the_neighbour_on_its_link() {
        let url: Url = "babel://neighbour:7".parse().expect("a URL");
        assert!(dialer().addresses(&url).is_err());
        let peer = Some((Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 9));
        let found = Dialer { peer, ..dialer() }.addresses(&url).expect("found");
        assert_eq!(
            found,
            [SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 7, 0, 9).into()]
        );
    }

    #[test]
    fn only_the_family_of_the_source_is_used() {
        let url: Url = "babel://[::1]:7".parse().expect("a URL");
        let source = Some(IpAddr::from([127, 0, 0, 1]));
        let error = Dialer { source, ..dialer() }
            .addresses(&url)
            .expect_err("no");
        assert!(error.to_string().contains("family"), "{error}");
    }

    #[test]
    fn every_socket_is_marked_and_bound_before_it_connects() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
        let to = listener.local_addr().expect("bound");
        let dialer = Dialer {
            mark: Some(0xb000_0000),
            source: Some(IpAddr::from([127, 0, 0, 9])),
            peer: None,
        };
        let stream = dialer
            .connect(to, Duration::from_secs(5))
            .expect("connected");
        let socket = socket2::SockRef::from(&stream);
        assert_eq!(socket.mark().ok(), Some(0xb000_0000));
        let (_, from) = listener.accept().expect("accepted");
        assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 9]));
        let datagrams = dialer.datagrams(to).expect("a socket");
        assert_eq!(
            socket2::SockRef::from(&datagrams).mark().ok(),
            Some(0xb000_0000)
        );
    }
}
