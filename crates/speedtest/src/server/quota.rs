//! What each client has used of its hour.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
/// Clients remembered; beyond that the least spender is forgotten.
const MOST_CLIENTS: usize = 4096;

/// Who shares one quota: an IPv4 address, or the /64 that one IPv6 host can roam in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Client(IpAddr);

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            // All neighbours share fe80::/64.
            IpAddr::V6(address) if !address.is_unicast_link_local() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
            }
            other => other,
        })
    }
}

/// Octets by client.
#[derive(Debug)]
pub(super) struct Quota {
    limit: u64,
    clients: BTreeMap<Client, (Instant, u64)>,
}

impl Quota {
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            limit,
            clients: BTreeMap::new(),
        }
    }

    /// What `client` has left of this hour.
    pub(super) fn left(&self, client: Client, now: Instant) -> u64 {
        match self.clients.get(&client) {
            Some((since, spent)) if now.duration_since(*since) < HOUR => {
                self.limit.saturating_sub(*spent)
            }
            _ => self.limit,
        }
    }

    /// `client` used `octets`; what it has left.
    pub(super) fn spend(&mut self, client: Client, octets: u64, now: Instant) -> u64 {
        if self.clients.len() >= MOST_CLIENTS && !self.clients.contains_key(&client) {
            self.clients
                .retain(|_, (since, _)| now.duration_since(*since) < HOUR);
            let least = self.clients.iter().min_by_key(|(_, (_, spent))| *spent);
            if let Some(least) = least.map(|(client, _)| *client)
                && self.clients.len() >= MOST_CLIENTS
            {
                self.clients.remove(&least);
            }
        }
        let (since, spent) = self.clients.entry(client).or_insert((now, 0));
        if now.duration_since(*since) >= HOUR {
            (*since, *spent) = (now, 0);
        }
        *spent = spent.saturating_add(octets);
        self.limit.saturating_sub(*spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        Client::of(text.parse().expect("an address"))
    }

    #[test]
    fn an_hour_gives_its_octets_once() {
        let now = Instant::now();
        let mut quota = Quota::new(100);
        let (one, other) = (client("10.0.0.1"), client("10.0.0.2"));
        assert_eq!(quota.spend(one, 60, now), 40);
        assert_eq!(quota.left(other, now), 100);
        assert_eq!(quota.spend(one, u64::MAX, now + HOUR / 2), 0);
        assert_eq!(quota.left(one, now + HOUR), 100);
        assert_eq!(quota.spend(one, 1, now + HOUR), 99);
    }

    #[test]
    fn addresses_of_one_host_are_one_client() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("fe80::1"), client("fe80::2"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
    }

    #[test]
    fn memory_is_bounded_and_the_big_spender_is_remembered() {
        let now = Instant::now();
        let mut quota = Quota::new(100);
        let spender = client("192.0.2.1");
        quota.spend(spender, 90, now);
        for n in 0..2 * MOST_CLIENTS as u32 {
            quota.spend(
                Client::of(IpAddr::from((0x0a00_0000 + n).to_be_bytes())),
                1,
                now,
            );
        }
        assert!(quota.clients.len() <= MOST_CLIENTS);
        assert_eq!(quota.left(spender, now), 10);
    }
}
