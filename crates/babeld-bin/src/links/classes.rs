//! Interfaces named by class (`wg*`): run when their device appears, forgotten when it is gone.

use super::Links;
use babel_core::glob;
use std::collections::BTreeSet;

/// The classes, and what they come to.
#[derive(Debug, Default)]
pub(super) struct Classes {
    patterns: Vec<String>,
    /// Interfaces that run because a pattern describes them.
    members: BTreeSet<String>,
    /// Devices that appeared since they were last asked for.
    arrived: BTreeSet<String>,
    /// Members whose device went since they were last asked for.
    departed: BTreeSet<String>,
}

impl Links {
    /// Runs Babel on all devices that `pattern` describes, now and later.
    pub fn add_class(&mut self, pattern: &str) {
        if self.classes.patterns.iter().any(|known| known == pattern) {
            return;
        }
        self.classes.patterns.push(pattern.to_owned());
        let names = self.devices.iter().map(|device| device.info.name.clone());
        for name in names.collect::<Vec<_>>() {
            self.device_appeared(&name);
        }
    }

    /// Ends what [`Links::add_class`] began; the interfaces that ran for this pattern alone.
    pub fn remove_class(&mut self, pattern: &str) -> Option<Vec<String>> {
        let patterns = &mut self.classes.patterns;
        let place = patterns.iter().position(|known| known == pattern)?;
        patterns.remove(place);
        let orphan = |name: &&String| !patterns.iter().any(|other| glob::matches(other, name));
        let orphans: Vec<String> = self
            .classes
            .members
            .iter()
            .filter(orphan)
            .cloned()
            .collect();
        Some(orphans)
    }

    /// Whether there is such a class.
    pub fn has_class(&self, pattern: &str) -> bool {
        self.classes.patterns.iter().any(|known| known == pattern)
    }

    /// Interfaces to begin with: a pattern describes them, and their device appeared.
    pub fn take_arrived(&mut self) -> Vec<String> {
        let arrived = std::mem::take(&mut self.classes.arrived);
        let new =
            |name: &String| self.devices.named(name).is_some() && !self.by_name.contains_key(name);
        let arrived: Vec<String> = arrived.into_iter().filter(new).collect();
        self.classes.members.extend(arrived.iter().cloned());
        arrived
    }

    /// Interfaces to forget: they ran for a pattern, and their device is gone.
    pub fn take_departed(&mut self) -> Vec<String> {
        let departed = std::mem::take(&mut self.classes.departed);
        let gone = |name: &String| self.devices.named(name).is_none();
        departed.into_iter().filter(gone).collect()
    }

    /// A device of this name is there that was not.
    pub(super) fn device_appeared(&mut self, name: &str) {
        let loopback = self
            .devices
            .named(name)
            .is_some_and(|d| d.info.flags.loopback);
        let mut patterns = self.classes.patterns.iter();
        if !loopback && patterns.any(|pattern| glob::matches(pattern, name)) {
            self.classes.arrived.insert(name.to_owned());
        }
    }

    /// The device of this name is there no more.
    pub(super) fn device_departed(&mut self, name: &str) {
        if self.classes.members.contains(name) {
            self.classes.departed.insert(name.to_owned());
        }
    }

    /// Everything was read again.
    pub(super) fn devices_read(&mut self) {
        let names = self.devices.iter().map(|device| device.info.name.clone());
        for name in names.collect::<Vec<_>>() {
            self.device_appeared(&name);
        }
        self.classes
            .departed
            .extend(self.classes.members.iter().cloned());
    }

    /// The interface runs no more.
    pub(super) fn leave_class(&mut self, name: &str) {
        self.classes.members.remove(name);
    }
}
