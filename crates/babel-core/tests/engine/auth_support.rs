//! A node under test on links with keys, and fake senders that sign by themselves: the MACs here
//! are computed apart from the node's code, from the pseudo-header up.

use crate::support::{ETH0, OURS, fake, writer};
use babel_core::Engine;
use babel_core::auth::{Algorithm, Auth, Key, LinkKey};
use babel_core::config::{Config, LinkConfig, LinkState};
use babel_core::event::{Event, Transmit};
use babel_core::policy::BabelMetric;
use babel_core::time::{Instant, Interval};
use babel_core::types::{LinkId, SeqNo};
use babel_core::wire::{Destination, PacketWriter};
use blake2::Blake2sMac;
use blake2::digest::consts::U16;
use core::net::Ipv6Addr;
use core::time::Duration;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6);
pub(crate) const SHA: Algorithm = Algorithm::HmacSha256;
pub(crate) const BLAKE: Algorithm = Algorithm::Blake2s128;
pub(crate) const SECRET: &[u8] = b"a shared secret";

pub(crate) type Secret = (Algorithm, &'static [u8]);

/// A packet that the node sent.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) at: Instant,
    pub(crate) to: Destination,
    pub(crate) octets: Vec<u8>,
}

pub(crate) struct Rig {
    pub(crate) node: Engine<(), BabelMetric>,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Packet>,
}

pub(crate) fn link_key((algorithm, octets): Secret) -> LinkKey {
    LinkKey::new(Key::new(algorithm, octets).expect("a key"))
}

pub(crate) fn auth(secrets: &[Secret]) -> Auth {
    Auth::new(secrets.iter().copied().map(link_key))
}

pub(crate) fn state(address: Ipv6Addr, mtu: u32) -> LinkState {
    LinkState {
        address,
        ipv4: None,
        mtu,
    }
}

impl Rig {
    /// A node with `eth0` only, which has keys.
    pub(crate) fn keyed(secrets: &[Secret]) -> Self {
        Self::with(crate::support::config(), Some(auth(secrets)))
    }

    pub(crate) fn with(config: Config, auth: Option<Auth>) -> Self {
        let mut rig = Self {
            node: Engine::new(config, (), BabelMetric),
            now: Instant::from_micros(1_000_000_000),
            sent: Vec::new(),
        };
        rig.link_up(ETH0, auth, 1500);
        // What a start brings is out of the way.
        rig.run(Duration::from_secs(1));
        rig
    }

    pub(crate) fn link_up(&mut self, link: LinkId, auth: Option<Auth>, mtu: u32) {
        let config = LinkConfig {
            auth,
            ..LinkConfig::new("eth")
        };
        self.configure(link, config, mtu);
    }

    pub(crate) fn configure(&mut self, link: LinkId, config: LinkConfig, mtu: u32) {
        let state = state(OURS, mtu);
        self.event(Event::LinkUp {
            link,
            config,
            state,
        });
    }

    pub(crate) fn event(&mut self, event: Event<'_>) {
        self.node.handle_event(self.now, event);
        self.drain();
    }

    pub(crate) fn hear(&mut self, source: Ipv6Addr, multicast: bool, payload: &[u8]) {
        self.event(Event::Packet {
            link: ETH0,
            source,
            multicast,
            payload,
        });
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.node.poll_timeout().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.node.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        let mut octets = Vec::new();
        while let Some(Transmit { destination, .. }) =
            self.node.poll_transmit(self.now, &mut octets)
        {
            let (at, to) = (self.now, destination);
            let octets = octets.clone();
            self.sent.push(Packet { at, to, octets });
        }
        self.node.poll_fib(usize::MAX, &mut Vec::new());
    }

    /// What was sent since the last call.
    pub(crate) fn take(&mut self) -> Vec<Packet> {
        core::mem::take(&mut self.sent)
    }

    pub(crate) fn neighbours(&self) -> usize {
        self.node.neighbours(self.now).count()
    }

    pub(crate) fn log_lines(&mut self) -> usize {
        core::iter::from_fn(|| self.node.poll_diagnostic()).count()
    }

    /// A sender that has answered our challenge.
    pub(crate) fn acquaint(&mut self, n: u16, secret: Secret) -> Sender {
        let mut sender = Sender::new(n, secret);
        self.take();
        let hello = sender.hello();
        self.hear(sender.address, true, &hello);
        let nonce = self.challenge(sender.address).expect("a challenge");
        let reply = sender.reply(&nonce);
        self.hear(sender.address, false, &reply);
        self.take();
        sender
    }

    /// The nonce of the last challenge to an address.
    pub(crate) fn challenge(&self, to: Ipv6Addr) -> Option<Vec<u8>> {
        let to = Destination::Unicast(to);
        let mut sent = self.sent.iter().rev().filter(|packet| packet.to == to);
        sent.find_map(|packet| packet.tlv(18))
    }
}

impl Packet {
    /// Header and body, and the trailer.
    pub(crate) fn split(&self) -> (&[u8], &[u8]) {
        let len = usize::from(self.octets[2]) << 8 | usize::from(self.octets[3]);
        self.octets.split_at(4 + len)
    }

    /// The TLVs of the body.
    pub(crate) fn tlvs(&self) -> Vec<(u8, Vec<u8>)> {
        tlvs(&self.split().0[4..])
    }

    /// The MACs in the trailer.
    pub(crate) fn macs(&self) -> Vec<Vec<u8>> {
        let trailer = tlvs(self.split().1);
        // Then padding, if the link probes its MTU.
        let macs = trailer.iter().take_while(|(kind, _)| *kind == 16);
        let rest = &trailer[macs.clone().count()..];
        assert!(rest.iter().all(|(kind, _)| *kind <= 1), "{trailer:?}");
        macs.map(|(_, body)| body.clone()).collect()
    }

    /// The body of the first TLV of a kind.
    pub(crate) fn tlv(&self, kind: u8) -> Option<Vec<u8>> {
        let mut tlvs = self.tlvs().into_iter();
        tlvs.find_map(|(known, body)| (known == kind).then_some(body))
    }

    /// PC and index, the last TLV of the body and the only one of its kind.
    pub(crate) fn pair(&self) -> (u32, Vec<u8>) {
        let tlvs = self.tlvs();
        assert_eq!(tlvs.iter().filter(|(kind, _)| *kind == 17).count(), 1);
        let (kind, body) = tlvs.last().expect("a TLV");
        assert_eq!(*kind, 17);
        let (pc, index) = body.split_first_chunk::<4>().expect("a PC");
        (u32::from_be_bytes(*pc), index.to_vec())
    }

    /// Whether its MACs are those of the keys, in any order, as the receiver computes them.
    pub(crate) fn is_signed_with(&self, secrets: &[Secret]) -> bool {
        let destination = match self.to {
            Destination::Multicast => GROUP,
            Destination::Unicast(address) => address,
        };
        let signed = self.split().0;
        let expected: Vec<Vec<u8>> = secrets
            .iter()
            .map(|secret| mac(*secret, OURS, destination, signed))
            .collect();
        self.macs() == expected
    }
}

fn tlvs(mut octets: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let [kind, len, rest @ ..] = octets {
        if *kind == 0 {
            octets = &octets[1..];
            continue;
        }
        let (body, rest) = rest.split_at(usize::from(*len));
        all.push((*kind, body.to_vec()));
        octets = rest;
    }
    all
}

/// RFC 8967 §4.1, written down once more.
pub(crate) fn mac(
    (algorithm, key): Secret,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    signed: &[u8],
) -> Vec<u8> {
    let mut octets = source.octets().to_vec();
    octets.extend(6696_u16.to_be_bytes());
    octets.extend(destination.octets());
    octets.extend(6696_u16.to_be_bytes());
    octets.extend(signed);
    match algorithm {
        Algorithm::HmacSha256 => {
            let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
            mac.chain_update(octets).finalize().as_bytes().to_vec()
        }
        Algorithm::Blake2s128 => {
            let mac = Blake2sMac::<U16>::new_from_slice(key).expect("a key");
            mac.chain_update(octets).finalize().as_bytes().to_vec()
        }
    }
}

/// A fake neighbour that signs.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) address: Ipv6Addr,
    pub(crate) secret: Secret,
    pub(crate) index: Vec<u8>,
    pub(crate) pc: u32,
    seqno: SeqNo,
}

impl Sender {
    pub(crate) fn new(n: u16, secret: Secret) -> Self {
        Self {
            address: fake(n),
            secret,
            index: vec![1, 2, 3],
            pc: 100,
            seqno: SeqNo(n),
        }
    }

    pub(crate) fn hello(&mut self) -> Vec<u8> {
        self.seqno = self.seqno.plus(1);
        let seqno = self.seqno;
        self.say(true, |packet| {
            let interval = Interval::from_centis(400);
            packet.hello(false, seqno, interval, None).expect("fits");
        })
    }

    pub(crate) fn reply(&mut self, nonce: &[u8]) -> Vec<u8> {
        self.say(false, |packet| packet.challenge_reply(nonce).expect("fits"))
    }

    pub(crate) fn request(&mut self, multicast: bool, nonce: &[u8]) -> Vec<u8> {
        self.say(multicast, |packet| {
            packet.challenge_request(nonce).expect("fits");
        })
    }

    /// A packet to the group or to the node, with the next PC.
    pub(crate) fn say(&mut self, multicast: bool, fill: impl FnOnce(&mut PacketWriter)) -> Vec<u8> {
        self.pc += 1;
        self.say_with(multicast, &[(self.pc, self.index.clone())], fill)
    }

    /// A packet with any PC TLVs.
    pub(crate) fn say_with(
        &self,
        multicast: bool,
        pairs: &[(u32, Vec<u8>)],
        fill: impl FnOnce(&mut PacketWriter),
    ) -> Vec<u8> {
        let mut packet = writer();
        fill(&mut packet);
        let mut octets = packet.finish();
        for (pc, index) in pairs {
            octets.extend([17, u8::try_from(4 + index.len()).expect("short")]);
            octets.extend(pc.to_be_bytes());
            octets.extend(index);
        }
        let len = u16::try_from(octets.len() - 4).expect("short");
        octets[2..4].copy_from_slice(&len.to_be_bytes());
        let destination = if multicast { GROUP } else { OURS };
        let mac = mac(self.secret, self.address, destination, &octets);
        octets.extend([16, u8::try_from(mac.len()).expect("short")]);
        octets.extend(mac);
        octets
    }
}
