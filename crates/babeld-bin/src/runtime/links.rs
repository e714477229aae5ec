//! Interfaces coming and going: groups joined and left, parameters set, the engine told.

use super::{Running, prices};
use crate::clock;
use crate::links::{LinkChange, medium_of};
use babel_core::event::{Change, Event};
use babel_core::glob;
use babel_core::time::Instant;
use babel_core::types::LinkId;

impl Running {
    /// Begins to run on an interface, when it is there, or on all that a pattern describes.
    pub(super) fn start_interface(&mut self, name: &str) {
        if glob::is_pattern(name) {
            self.links.add_class(name);
            self.follow_links(clock::now());
        } else {
            self.start_one(name);
        }
    }

    fn start_one(&mut self, name: &str) {
        let Some(link) = self.links.add(name) else {
            return;
        };
        if let Some(quality) = &mut self.quality {
            quality.links_changed(clock::now());
        }
        let mut extension = self.engine.extension().clone();
        prices::set_link_fee(&mut extension, &self.settings, link, name);
        extension.set_enabled(self.settings.prices_on());
        if extension != *self.engine.extension() {
            let now = clock::now();
            self.engine
                .update_extension(now, |known| *known = extension);
        }
        self.report_interface(Change::Add, link);
        self.follow_links(clock::now());
    }

    /// Acts on what changed about interfaces.
    pub(super) fn follow_links(&mut self, now: Instant) {
        for name in self.links.take_arrived() {
            self.start_one(&name);
        }
        self.follow_devices(now);
        for name in self.links.take_departed() {
            self.stop_interface(&name);
        }
    }

    fn follow_devices(&mut self, now: Instant) {
        for change in self.links.reconcile(now) {
            let link = match change {
                LinkChange::Up {
                    link,
                    name,
                    ifindex,
                    fresh,
                } => {
                    self.link_up(now, link, &name, ifindex, fresh);
                    link
                }
                LinkChange::Down {
                    link,
                    name,
                    ifindex,
                } => {
                    tracing::info!("Interface {name} is down.");
                    self.tear_down(&name, ifindex);
                    self.engine.handle_event(now, Event::LinkDown { link });
                    link
                }
            };
            self.report_interface(Change::Change, link);
        }
    }

    /// Keeps news of an interface for the monitors.
    fn report_interface(&mut self, change: Change, link: LinkId) {
        let views = self.links.views().into_iter();
        let news = views
            .filter(|view| view.link == link)
            .map(|view| (change, view));
        self.interface_news.extend(news);
    }

    /// Undoes on a device what [`Self::set_up`] did.
    pub(super) fn tear_down(&mut self, name: &str, ifindex: u32) {
        self.socket.leave(ifindex);
        self.sysctls.restore_interface(name);
    }

    pub(super) fn link_up(
        &mut self,
        now: Instant,
        link: LinkId,
        name: &str,
        ifindex: u32,
        fresh: bool,
    ) {
        if fresh && let Err(why) = self.set_up(name, ifindex) {
            tracing::warn!("kernel_setup_interface({name}, {ifindex}) failed. ({why})");
            self.links.refuse(link, why);
            return;
        }
        let Some((_, state)) = self.links.up(link) else {
            return;
        };
        let device = self.links.devices().named(name);
        let medium = device
            .map(|device| medium_of(&device.info))
            .unwrap_or_default();
        let config = self.settings.link_config(name, medium);
        if config.probe_mtu
            && let Err(error) = self.socket.forbid_fragments()
        {
            tracing::warn!("{name}: the MTU cannot be probed: {error}");
        }
        let ipv4 = if state.ipv4.is_some() { ", IPv4" } else { "" };
        tracing::info!("Upped interface {name} (cost={}{ipv4}).", config.rxcost);
        self.engine.handle_event(
            now,
            Event::LinkUp {
                link,
                config,
                state,
            },
        );
    }

    /// Makes a device fit for Babel.
    fn set_up(&mut self, name: &str, ifindex: u32) -> Result<(), String> {
        if !self.settings.skip_kernel_setup {
            let set_up = self.sysctls.set_up_interface(name);
            set_up.map_err(|error| error.to_string())?;
        }
        self.socket
            .join(ifindex)
            .map_err(|error| format!("cannot join {}: {error}", self.settings.protocol_group))
    }
}
