//! What differs between two configurations, in words: what a reload would change.
//!
//! One line each, in the language of the configuration. What a running node cannot change is
//! among it, and says so. A key's value is never shown.

mod quality;

use super::auth::KeyUse;
use super::interface::{InterfaceOptions, InterfaceSettings, LinkType};
use super::rule_text::RuleText;
use super::settings::Settings;
use super::statement::{FilterKind, LocalAddress, LocalSocket, MaxPrice};
use babel_core::auth::Purpose;
use qos_ranker::Prefer;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How to get from one configuration to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Interfaces to stop, by name.
    pub removed: Vec<String>,
    /// Interfaces to start, by name.
    pub added: Vec<String>,
    /// The configuration to have: the new one, with what cannot change as it was, and with the
    /// interfaces that the old one has from elsewhere.
    pub target: Settings,
    /// All of it in words, a line each.
    pub lines: Vec<String>,
}

impl Difference {
    /// From the configuration in effect, of which `from_files` names the interfaces that its files
    /// or its command line named, to `new`. An interface that was added at run time stays: who
    /// added it flushes it.
    pub fn between(old: &Settings, new: &Settings, from_files: &BTreeSet<String>) -> Self {
        let named = |settings: &Settings, name: &str| {
            let mut all = settings.interfaces.iter();
            all.any(|interface| interface.name == name)
        };
        let mut target = new.clone();
        let kept = |interface: &&InterfaceSettings| {
            !from_files.contains(&interface.name) && !named(new, &interface.name)
        };
        let kept = old.interfaces.iter().filter(kept).cloned();
        target.interfaces.extend(kept);
        let mut difference = Self {
            removed: names(old).filter(|name| !named(&target, name)).collect(),
            added: names(&target).filter(|name| !named(old, name)).collect(),
            target,
            lines: Vec::new(),
        };
        difference.interfaces(old);
        difference.rules(old);
        difference.keys(old);
        difference.quality(&old.quality);
        difference.options(old);
        difference
    }

    fn interfaces(&mut self, old: &Settings) {
        let Self {
            lines,
            target,
            removed,
            added,
        } = self;
        lines.extend(
            removed
                .iter()
                .map(|name| format!("interface {name}: remove")),
        );
        for interface in &target.interfaces {
            let name = &interface.name;
            if added.contains(name) {
                lines.push(format!("interface {name}: add"));
                continue;
            }
            let (before, after) = (old.interface_options(name), target.interface_options(name));
            if before != after {
                let what = options_text(&before, &after);
                lines.push(format!("interface {name}: {what}"));
            }
        }
    }

    /// Rules by kind; their order matters, so a rule that moved is shown gone and come.
    fn rules(&mut self, old: &Settings) {
        for kind in FilterKind::ALL {
            let (before, after) = (old.rules(kind), self.target.rules(kind));
            let same_start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
            let (before, after) = (
                before.get(same_start..).unwrap_or_default(),
                after.get(same_start..).unwrap_or_default(),
            );
            let pairs = before.iter().rev().zip(after.iter().rev());
            let same_end = pairs.take_while(|(a, b)| a == b).count();
            let word = kind.word();
            for (mark, rules) in [("remove", before), ("add", after)] {
                let changed = rules.len() - same_end;
                let texts = rules.iter().take(changed).map(RuleText);
                self.lines
                    .extend(texts.map(|text| format!("{word}: {mark}{text}")));
            }
        }
    }

    fn keys(&mut self, old: &Settings) {
        for key in &self.target.keys {
            match old.keys.iter().find(|known| known.id == key.id) {
                None => self.lines.push(format!("key {}: add", key.id)),
                Some(known) if known != key => self.lines.push(format!("key {}: change", key.id)),
                Some(_) => {}
            }
        }
        for key in &old.keys {
            if !self.target.keys.iter().any(|known| known.id == key.id) {
                self.lines.push(format!("key {}: remove", key.id));
            }
        }
    }

    /// Options of the node. The fixed ones go back to what they were.
    fn options(&mut self, old: &Settings) {
        let Self { lines, target, .. } = self;
        macro_rules! live {
            ($($word:literal $field:ident)*) => { $(
                if let Some(text) = changed($word, &old.$field, &target.$field) {
                    lines.push(text);
                }
            )* };
        }
        macro_rules! fixed {
            ($($word:literal $field:ident)*) => { $(
                if let Some(text) = changed($word, &old.$field, &target.$field) {
                    lines.push(format!("{text} (needs a restart)"));
                    target.$field = old.$field.clone();
                }
            )* };
        }
        live!("link-detect" link_detect "log-file" log_file "state-file" state_file);
        live!("smoothing-half-life" smoothing_half_life);
        live!("kernel-check-interval" kernel_check_interval "import-table" import_tables);
        live!("shutdown-delay-ms" shutdown_delay "-h" wireless_hello_interval);
        live!("-H" wired_hello_interval "-w" all_wireless);
        live!("price" price "price-unit" price_unit "price-sub-tlv" price_sub_tlv);
        live!("max-price" max_price "require-price" require_price "prefer" prefer);
        live!("metric-factor" metric_factor);
        fixed!("althea-compat" althea_compat);
        fixed!("protocol-port" protocol_port "protocol-group" protocol_group);
        fixed!("kernel-priority" kernel_priority "reflect-kernel-metric" reflect_kernel_metric);
        fixed!("allow-duplicates" allow_duplicates "local-port" local_socket);
        fixed!("export-table" export_table "skip-kernel-setup" skip_kernel_setup);
        fixed!("daemonise" daemonise "pid-file" pid_file "debug" debug);
        fixed!("router-id" router_id "random-id" random_id "metrics-port" metrics_listen);
    }
}

fn names(settings: &Settings) -> impl Iterator<Item = String> {
    settings.interfaces.iter().map(|one| one.name.clone())
}

/// `rxcost 96 -> 200, …` of the options that differ.
fn options_text(before: &InterfaceOptions, after: &InterfaceOptions) -> String {
    let mut texts: Vec<String> = Vec::new();
    macro_rules! compare {
        ($($word:literal $field:ident)*) => { $(
            if before.$field != after.$field {
                let (from, to) = (before.$field.shown(), after.$field.shown());
                texts.push(format!("{} {from} -> {to}", $word));
            }
        )* };
    }
    compare!("type" link_type "rxcost" rxcost "hello-interval" hello_interval);
    compare!("update-interval" update_interval "link-quality" link_quality);
    compare!("split-horizon" split_horizon "v4-via-v6" v4_via_v6 "price" price);
    compare!("enable-timestamps" enable_timestamps "rtt-decay" rtt_decay "rtt-min" rtt_min);
    compare!("rtt-max" rtt_max "max-rtt-penalty" max_rtt_penalty "unicast" unicast);
    compare!("unicast-neighbour" unicast_neighbours "probe-mtu" probe_mtu);
    compare!("rfc6126-compatible" rfc6126_compatible);
    compare!("accept-bad-signatures" accept_bad_signatures "key" keys);
    if texts.is_empty() {
        return "other options".into();
    }
    texts.join(", ")
}

fn changed<T: PartialEq + Shown>(word: &str, before: &T, after: &T) -> Option<String> {
    (before != after).then(|| format!("{word}: {} -> {}", before.shown(), after.shown()))
}

/// A value as the configuration writes it.
trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_as_displayed {
    ($($kind:ty)*) => { $(
        impl Shown for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

shown_as_displayed!(bool u8 u16 u32 Ipv6Addr SocketAddr babel_core::types::RouterId);

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "default".into(), T::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        if self.is_empty() {
            return "default".into();
        }
        let all: Vec<String> = self.iter().map(T::shown).collect();
        all.join(" ")
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        format!("{} s", self.as_secs_f64())
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for KeyUse {
    fn shown(&self) -> String {
        match self.purpose {
            Purpose::AcceptOnly => format!("{} (accept only)", self.id),
            Purpose::SignAndAccept => self.id.clone(),
        }
    }
}

impl Shown for LinkType {
    fn shown(&self) -> String {
        let word = match self {
            Self::Wired => "wired",
            Self::Wireless => "wireless",
            Self::Tunnel => "tunnel",
        };
        word.into()
    }
}

impl Shown for Prefer {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for MaxPrice {
    fn shown(&self) -> String {
        let limit = self.limit.map_or_else(|| "none".into(), |n| n.to_string());
        match self.prefix {
            Some(prefix) => format!("{limit} ip {prefix}"),
            None => limit,
        }
    }
}

impl Shown for LocalSocket {
    fn shown(&self) -> String {
        let access = if self.read_write { " read-write" } else { "" };
        match &self.address {
            LocalAddress::Port(port) => format!("{port}{access}"),
            LocalAddress::Path(path) => format!("{}{access}", path.display()),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests;
