//! What single lines do not show: statements that are good each, and odd together.

use super::quality::Target;
use super::settings::Settings;
use babel_core::prefix::{Family, Prefix};
use speedtest::Host;
use std::net::IpAddr;

impl Settings {
    /// What the operator may not have meant, in sentences that name the way out.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        doubts.extend(self.nothing_measures());
        doubts.extend(self.unpinned_targets());
        doubts.extend(self.announced_probes());
        doubts.extend(self.shared_tables());
        doubts
    }

    /// Goals that nobody ever looks whether they are met.
    fn nothing_measures(&self) -> Option<String> {
        let targets = &self.quality.targets;
        let writable = self.local_socket.as_ref().is_some_and(|one| one.read_write);
        if !self.ranking_on() || writable {
            return None;
        }
        if targets.is_empty() {
            return Some(
                "there is a 'qos-goal', but nothing measures: every neighbour stays unproven. Add \
                 a 'speedtest-target', or a read-write control socket for 'measure'"
                    .into(),
            );
        }
        let links_only = targets.iter().all(|target| target.url.is_link_test());
        links_only.then(|| {
            "every 'speedtest-target' tests the link to the neighbour only, which ranks nobody: \
             add one whose server is beyond the neighbours"
                .into()
        })
    }

    /// Targets of a family that has no probe prefix while the other has one.
    fn unpinned_targets(&self) -> impl Iterator<Item = String> {
        let quality = &self.quality;
        let some = !quality.probe_prefixes.is_empty();
        quality.targets.iter().filter_map(move |target| {
            let family = family(target)?;
            let lacks = some && quality.probe_prefix(family).is_none();
            let name = match family {
                Family::V4 => "IPv4",
                Family::V6 => "IPv6",
            };
            lacks.then(|| {
                format!(
                    "speedtest-target {}: its server is {name} and there is no {name} \
                     'probe-prefix': downloads from it will be unpinned",
                    target.name
                )
            })
        })
    }

    /// Probe prefixes that a `redistribute` rule announces to everybody.
    fn announced_probes(&self) -> impl Iterator<Item = String> {
        let rules = &self.filters.redistribute;
        self.quality.probe_prefixes.iter().filter_map(|probe| {
            let overlaps = |other: &Prefix| other.covers(probe) || probe.covers(other);
            let allowing = rules.iter().filter(|rule| !rule.action.deny);
            let mut announced = allowing.filter_map(|rule| rule.ip);
            let other = announced.find(overlaps)?;
            Some(format!(
                "probe-prefix {probe} overlaps 'redistribute ip {other}': its addresses are for \
                 one neighbour each, and must not be announced to all. Choose a prefix that nobody \
                 uses"
            ))
        })
    }

    /// Tables that tests would share with routes.
    fn shared_tables(&self) -> impl Iterator<Item = String> {
        let installed = self.filters.install.iter();
        let installed = installed.filter_map(|rule| Some(("install … table", rule.action.table?)));
        let imported = self.import_tables.iter();
        let imported = imported.map(|table| ("import-table", *table));
        let first = self.quality.probe_table;
        [("export-table", self.export_table)]
            .into_iter()
            .chain(imported)
            .chain(installed)
            .filter(move |(_, table)| self.quality.probe_tables().any(|probe| probe == *table))
            .map(move |(word, table)| {
                format!(
                    "'{word} {table}' is one of the four tables of 'probe-table {first}', which \
                     tests fill and empty: choose another"
                )
            })
    }
}

/// The family of a target's server, if it is said.
fn family(target: &Target) -> Option<Family> {
    match target.url.host() {
        Host::Address(IpAddr::V4(_)) => Some(Family::V4),
        Host::Address(IpAddr::V6(_)) => Some(Family::V6),
        Host::Neighbour | Host::Name(_) => None,
    }
}
