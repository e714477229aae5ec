//! From changed settings to engine, policy, links and imports: what is the same stays untouched.

use super::{Running, prices};
use crate::clock;
use crate::config::Settings;
use crate::links::medium_of;

impl Running {
    /// Gives the filters of the settings to the engine and to the import of kernel routes.
    pub(super) fn refilter(&mut self) {
        let now = clock::now();
        let filters = self.settings.effective_filters();
        if self.xroutes.set_rules(&filters.redistribute) {
            // Routes that no rule allowed were not kept.
            self.chores.want_reread(now);
        }
        if filters != self.engine.config().filters {
            self.engine.update_filters(now, |known| *known = filters);
        }
        self.reprice();
    }

    /// Gives extension and policy what the settings now say, if it is anything new.
    pub(super) fn reprice(&mut self) {
        let now = clock::now();
        let extension = prices::extension(&self.settings, &self.links);
        let known = self.engine.extension();
        if extension != *known {
            let reads = |it: &babel_price_tlv::PriceExtension| (it.enabled(), it.sub_tlv());
            let reads_other = reads(known) != reads(&extension);
            self.engine
                .update_extension(now, |known| *known = extension);
            if reads_other {
                // What was not read of the neighbours' updates was not kept.
                self.engine.ask_again();
            }
        }
        self.follow_quality(now);
        let policy = prices::policy(&self.settings, self.quality.as_deref());
        if policy != *self.engine.policy() {
            self.engine.update_policy(now, |known| *known = policy);
        }
    }

    /// Gives the links that are up their settings, where these differ from what came of `before`.
    pub(super) fn reconfigure_interfaces(&mut self, before: &Settings) {
        let now = clock::now();
        for view in self.links.views() {
            let Some((ifindex, _)) = self.links.up(view.link) else {
                continue;
            };
            let device = self.links.devices().named(&view.name);
            let medium = device
                .map(|device| medium_of(&device.info))
                .unwrap_or_default();
            let config = self.settings.link_config(&view.name, medium);
            if config == before.link_config(&view.name, medium) {
                continue;
            }
            tracing::info!("Interface {} has other options now.", view.name);
            self.link_up(now, view.link, &view.name, ifindex, false);
        }
    }
}
