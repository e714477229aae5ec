//! Options of one interface, as given, and what they come to once the kernel has told its part.

use super::auth::KeyUse;
use super::settings::Settings;
use babel_core::config::{LinkConfig, RttConfig};
use babel_core::glob;
use babel_core::types::Metric;
use std::net::Ipv6Addr;
use std::time::Duration;

/// The `type` of an interface. `auto` is the absence of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkType {
    /// `wired`
    Wired,
    /// `wireless`
    Wireless,
    /// `tunnel`
    Tunnel,
}

/// What the kernel tells of an interface's kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Medium {
    /// Nothing certain: bridges, veth, anything new.
    #[default]
    Unknown,
    /// Ethernet and the like. Treated as unknown: stock babeld never concludes "wired" by itself.
    Wired,
    /// The kernel's wireless extensions answer for it.
    Wireless,
    /// A tunnel. Treated as unknown, as stock babeld does.
    Tunnel,
}

/// Options of an interface; `None` where nothing was said, or `auto` was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InterfaceOptions {
    /// `type`
    pub link_type: Option<LinkType>,
    /// `rxcost`, 1..65535.
    pub rxcost: Option<u16>,
    /// `hello-interval`, above zero and at most 655.35 s.
    pub hello_interval: Option<Duration>,
    /// `update-interval`, above zero and at most 655.35 s.
    pub update_interval: Option<Duration>,
    /// `link-quality`
    pub link_quality: Option<bool>,
    /// `split-horizon`
    pub split_horizon: Option<bool>,
    /// `v4-via-v6`
    pub v4_via_v6: Option<bool>,
    /// `price`: our fee per megabyte on this interface, instead of the node's.
    pub price: Option<u32>,
    /// `enable-timestamps`
    pub enable_timestamps: Option<bool>,
    /// `rtt-decay`, 1..256, in units of 1/256.
    pub rtt_decay: Option<u16>,
    /// `rtt-min`
    pub rtt_min: Option<Duration>,
    /// `rtt-max`
    pub rtt_max: Option<Duration>,
    /// `max-rtt-penalty`, 1..65535.
    pub max_rtt_penalty: Option<u16>,
    /// `unicast`
    pub unicast: Option<bool>,
    /// `unicast-neighbour`, each time it was given.
    pub unicast_neighbours: Vec<Ipv6Addr>,
    /// `rfc6126-compatible`
    pub rfc6126_compatible: Option<bool>,
    /// `probe-mtu`
    pub probe_mtu: Option<bool>,
    /// `accept-bad-signatures`
    pub accept_bad_signatures: Option<bool>,
    /// `key` and `accept-key`, in order; those of one line replace those of an earlier one.
    pub keys: Vec<KeyUse>,
}

impl InterfaceOptions {
    /// Takes over whatever `later` says; what it leaves open stays.
    pub fn merge(&mut self, later: &Self) {
        macro_rules! take {
            ($($field:ident)*) => { $(self.$field = later.$field.or(self.$field);)* };
        }
        take!(link_type rxcost hello_interval update_interval link_quality split_horizon v4_via_v6);
        take!(price enable_timestamps rtt_decay rtt_min rtt_max max_rtt_penalty unicast);
        take!(rfc6126_compatible probe_mtu accept_bad_signatures);
        for address in &later.unicast_neighbours {
            if !self.unicast_neighbours.contains(address) {
                self.unicast_neighbours.push(*address);
            }
        }
        if !later.keys.is_empty() {
            self.keys.clone_from(&later.keys);
        }
    }

    /// How the round-trip time counts: on a tunnel by default, elsewhere if asked for.
    fn rtt_config(&self, tunnel: bool) -> RttConfig {
        let default = RttConfig::default();
        let max_penalty = self.max_rtt_penalty.unwrap_or(if tunnel { 96 } else { 0 });
        RttConfig {
            decay: self.rtt_decay.unwrap_or(default.decay),
            min: self.rtt_min.unwrap_or(default.min),
            max: self.rtt_max.unwrap_or(default.max),
            max_penalty: Metric(max_penalty),
        }
    }
}

/// One interface and its options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceSettings {
    /// The kernel's name for it, or a pattern of names (`wg*`); it need not exist yet.
    pub name: String,
    /// What was said of it, without `default`.
    pub options: InterfaceOptions,
}

/// No Hello is sent more often than this, whatever is asked for.
const HELLO_FLOOR: Duration = Duration::from_millis(5);
/// The longest interval that fits a TLV: 65535 centiseconds.
const LONGEST_INTERVAL: Duration = Duration::from_millis(655_350);

impl Settings {
    /// The options of `name`: its own where given, else those of the patterns that describe it,
    /// the last first, else those of `default`.
    pub fn interface_options(&self, name: &str) -> InterfaceOptions {
        let mut options = self.defaults.clone();
        let is_own = |interface: &&InterfaceSettings| interface.name == name;
        let classes = self.interfaces.iter().filter(|i| !is_own(i));
        for class in classes.filter(|class| glob::matches(&class.name, name)) {
            options.merge(&class.options);
        }
        if let Some(interface) = self.interfaces.iter().find(is_own) {
            options.merge(&interface.options);
        }
        options
    }

    /// Settings of the link `name` with every default worked out.
    pub fn link_config(&self, name: &str, medium: Medium) -> LinkConfig {
        let options = self.interface_options(name);
        let link_type = options.link_type.or(match medium {
            Medium::Wireless => Some(LinkType::Wireless),
            _ if self.all_wireless => Some(LinkType::Wireless),
            Medium::Unknown | Medium::Wired | Medium::Tunnel => None,
        });
        let wired = link_type == Some(LinkType::Wired);
        let wireless = link_type == Some(LinkType::Wireless);
        let hello_interval = options
            .hello_interval
            .unwrap_or(if wireless {
                self.wireless_hello_interval
            } else {
                self.wired_hello_interval
            })
            .max(HELLO_FLOOR);
        let rtt = options.rtt_config(link_type == Some(LinkType::Tunnel));
        let rfc6126_compatible = options.rfc6126_compatible.unwrap_or(false);
        let rxcost = options.rxcost.unwrap_or(if wireless { 256 } else { 96 });
        LinkConfig {
            name: name.to_owned(),
            hello_interval,
            update_interval: options
                .update_interval
                .unwrap_or(hello_interval * 4)
                .clamp(HELLO_FLOOR, LONGEST_INTERVAL),
            rxcost: Metric(rxcost),
            link_quality: options.link_quality.unwrap_or(wireless),
            split_horizon: options.split_horizon.unwrap_or(wired),
            v4_via_v6: options.v4_via_v6.unwrap_or(!rfc6126_compatible),
            // Without multicast, nothing else arrives.
            unicast: options
                .unicast
                .unwrap_or(!options.unicast_neighbours.is_empty()),
            static_neighbours: options.unicast_neighbours,
            rfc6126_compatible,
            probe_mtu: options.probe_mtu.unwrap_or(false),
            timestamps: options
                .enable_timestamps
                .unwrap_or(rtt.max_penalty > Metric::ZERO),
            rtt,
            auth: self.link_auth(name),
        }
    }
}
