//! Configuration statements at run time, from the control socket.
//!
//! A statement means what it means in a file, and takes effect at once. What a running node
//! cannot change is refused with the reason, and nothing is changed.

use super::Running;
use crate::clock;
use crate::config::{
    Command, FilterKind, Global, InterfaceOptions, InterfaceSettings, Origin, Place, Statement,
    parse_statement,
};
use crate::log;
use crate::node::Refused;
use babel_core::event::{Change, Event};
use babel_core::filter::Rule;
use babel_core::glob;

/// Rules of one kind beyond which none is added at run time.
const MAX_RULES: usize = 4096;

impl Running {
    /// Carries out one statement; nothing is changed if it is refused.
    pub(super) fn carry_out(&mut self, text: &str) -> Result<(), Refused> {
        let place = Place::new(Origin::Socket, 1);
        let parsed = parse_statement(text, &place).map_err(|e| Refused::Bad(e.to_string()))?;
        self.settings
            .check(&parsed.statement, text, &place)
            .map_err(|error| Refused::Bad(error.to_string()))?;
        for warning in &parsed.warnings {
            // Althea's clients say it once a minute.
            if !(self.settings.althea_compat && warning.word == "metric-factor") {
                tracing::warn!("{warning}");
            }
        }
        match parsed.statement {
            Statement::Nothing => Ok(()),
            Statement::Interface(interface) => self.put_interface(interface),
            Statement::Default(options) => {
                self.change_default(&options);
                Ok(())
            }
            Statement::Key(_) => {
                let before = self.settings.clone();
                self.settings.apply(parsed.statement);
                self.reconfigure_interfaces(&before);
                Ok(())
            }
            Statement::Filter(kind, rule) => self.add_rule(kind, rule),
            Statement::Global(global) => self.change_global(global),
            Statement::Command(Command::FlushInterface(name)) => self.flush_interface(&name),
            Statement::Command(Command::FlushFilters(kind)) => {
                self.flush_rules(kind);
                Ok(())
            }
            Statement::Command(Command::ReopenLogfile) => self.reopen_log(),
            Statement::Command(Command::Measure(measure)) => self.measure(measure),
            Statement::Command(Command::Speedtest { peer, target }) => {
                self.test_now(&peer, target.as_deref())
            }
            Statement::Command(Command::FlushMeasurements(peer)) => {
                self.flush_measurements(peer.as_ref());
                Ok(())
            }
            Statement::Command(_) => Err(Refused::Bad("not a configuration statement".into())),
        }
    }

    /// Opens the log file anew, after somebody moved it.
    pub(super) fn reopen_log(&self) -> Result<(), Refused> {
        let Some(path) = self.settings.log_file_in_use() else {
            return Ok(());
        };
        log::redirect(path)
            .map_err(|error| Refused::No(format!("cannot open {}: {error}", path.display())))
    }

    /// Adds an interface, or changes the options given of one that is there. Stock ignores the
    /// second with a warning; a client that repeats itself sees no difference.
    fn put_interface(&mut self, interface: InterfaceSettings) -> Result<(), Refused> {
        let name = interface.name.clone();
        if self.links.named(&name).is_none() && !self.links.has_class(&name) {
            self.settings.apply_interface(interface);
            self.start_interface(&name);
            return Ok(());
        }
        let before = self.settings.clone();
        self.settings.apply_interface(interface);
        self.reconfigure_interfaces(&before);
        self.reprice();
        Ok(())
    }

    /// What `default` says at run time is for interfaces still to come: those that run keep what
    /// they have, so it becomes their own. A class has interfaces still to come.
    fn change_default(&mut self, options: &InterfaceOptions) {
        for index in 0..self.settings.interfaces.len() {
            let Some(name) = self.settings.interfaces.get(index).map(|i| i.name.clone()) else {
                continue;
            };
            if glob::is_pattern(&name) {
                continue;
            }
            let own = self.settings.interface_options(&name);
            if let Some(interface) = self.settings.interfaces.get_mut(index) {
                interface.options = own;
            }
        }
        self.settings.defaults.merge(options);
        self.reprice();
    }

    pub(super) fn flush_interface(&mut self, name: &str) -> Result<(), Refused> {
        if let Some(members) = self.links.remove_class(name) {
            for member in members {
                self.stop_interface(&member);
            }
        } else if !self.stop_interface(name) {
            if self.settings.althea_compat {
                // What is wanted is so, and Althea's clients wait for `ok` for ever.
                return Ok(());
            }
            return Err(Refused::No("No such interface".into()));
        }
        self.settings
            .interfaces
            .retain(|interface| interface.name != name);
        Ok(())
    }

    /// Runs no more on an interface; false if it did not.
    pub(super) fn stop_interface(&mut self, name: &str) -> bool {
        let view = self
            .links
            .views()
            .into_iter()
            .find(|view| view.name == name);
        let Some((link, device)) = self.links.flush(name) else {
            return false;
        };
        if let Some(ifindex) = device {
            self.tear_down(name, ifindex);
        }
        self.engine
            .handle_event(clock::now(), Event::LinkRemoved { link });
        self.interface_news
            .extend(view.map(|view| (Change::Flush, view)));
        true
    }

    fn add_rule(&mut self, kind: FilterKind, rule: Rule) -> Result<(), Refused> {
        if self.settings.rules(kind).len() >= MAX_RULES {
            let reason = format!(
                "there are {MAX_RULES} '{}' rules already: 'flush filters'",
                kind.word()
            );
            return Err(Refused::No(reason));
        }
        self.settings.apply(Statement::Filter(kind, rule));
        self.refilter();
        Ok(())
    }

    fn flush_rules(&mut self, kind: Option<FilterKind>) {
        for one in FilterKind::ALL {
            if kind.is_none_or(|kind| kind == one) {
                self.settings.rules_mut(one).clear();
            }
        }
        self.refilter();
    }

    fn change_global(&mut self, global: Global) -> Result<(), Refused> {
        let file_changed = matches!(global, Global::LogFile(_));
        if let Some(word) = global.fixed() {
            return Err(Refused::No(format!(
                "'{word}' cannot be changed at run time: put it in the configuration and restart"
            )));
        }
        let before = self.settings.clone();
        self.settings.apply_global(global);
        if file_changed && let Err(refused) = self.reopen_log() {
            self.settings.log_file = before.log_file;
            return Err(refused);
        }
        self.follow_globals(&before);
        Ok(())
    }

    /// Does what follows from options of the node that changed since `before`.
    pub(super) fn follow_globals(&mut self, before: &crate::config::Settings) {
        let now = clock::now();
        self.links.set_link_detect(self.settings.link_detect);
        self.engine
            .set_smoothing_half_life(self.settings.smoothing_half_life);
        if self.settings.kernel_check_interval != before.kernel_check_interval {
            let interval = self.settings.kernel_check_interval;
            self.chores.check = interval.map(|interval| now + interval);
        }
        let tables = self.settings.import_tables();
        if tables != self.import_tables {
            self.import_tables = tables;
            self.chores.want_reread(now);
        }
        self.reprice();
    }
}
