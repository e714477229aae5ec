//! Configuration statements at run time, from the control socket.

use super::{Running, prices};
use crate::clock;
use crate::config::{
    Command, Global, InterfaceOptions, InterfaceSettings, Origin, Place, Statement, parse_statement,
};
use crate::log;
use crate::node::Refused;
use babel_core::event::{Change, Event};

impl Running {
    /// Carries out one statement; nothing is changed if it is refused.
    pub(super) fn carry_out(&mut self, text: &str) -> Result<(), Refused> {
        let place = Place::new(Origin::Socket, 1);
        let parsed = parse_statement(text, &place).map_err(|e| Refused::Bad(e.to_string()))?;
        for warning in &parsed.warnings {
            tracing::warn!("{warning}");
        }
        match parsed.statement {
            Statement::Nothing => Ok(()),
            Statement::Interface(interface) => self.add_interface(interface),
            Statement::Default(_) | Statement::Key(_) => {
                self.settings.apply(parsed.statement);
                self.reprice();
                Ok(())
            }
            Statement::Filter(kind, _) => Err(fixed(kind.word())),
            Statement::Global(global) => self.change_global(global),
            Statement::Command(Command::FlushInterface(name)) => self.flush_interface(&name),
            Statement::Command(Command::ReopenLogfile) => self.reopen_log(),
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

    fn add_interface(&mut self, interface: InterfaceSettings) -> Result<(), Refused> {
        let name = interface.name.clone();
        if self.links.named(&name).is_none() {
            self.settings.apply_interface(interface);
            self.start_interface(&name);
            return Ok(());
        }
        // The price alone may change while an interface is in use.
        let price = InterfaceOptions {
            price: interface.options.price,
            ..InterfaceOptions::default()
        };
        if interface.options != price || price.price.is_none() {
            tracing::warn!(
                "Warning: attempting to add existing interface ({name}), \
                 new configuration ignored."
            );
        }
        self.settings.apply_interface(InterfaceSettings {
            name,
            options: price,
        });
        self.reprice();
        Ok(())
    }

    fn flush_interface(&mut self, name: &str) -> Result<(), Refused> {
        let view = self
            .links
            .views()
            .into_iter()
            .find(|view| view.name == name);
        let Some((link, device)) = self.links.flush(name) else {
            return Err(Refused::No("No such interface".into()));
        };
        if let Some(ifindex) = device {
            self.tear_down(name, ifindex);
        }
        self.engine
            .handle_event(clock::now(), Event::LinkRemoved { link });
        self.settings
            .interfaces
            .retain(|interface| interface.name != name);
        self.interface_news
            .extend(view.map(|view| (Change::Flush, view)));
        Ok(())
    }

    fn change_global(&mut self, global: Global) -> Result<(), Refused> {
        let file_changed = matches!(global, Global::LogFile(_));
        match global {
            Global::LogFile(_)
            | Global::LinkDetect(_)
            | Global::SmoothingHalfLife(_)
            | Global::Price(_)
            | Global::MaxPrice(_)
            | Global::RequirePrice(_)
            | Global::Prefer(_) => {}
            _ => return Err(fixed("this option")),
        }
        let before = self.settings.log_file.clone();
        self.settings.apply_global(global);
        if file_changed && let Err(refused) = self.reopen_log() {
            self.settings.log_file = before;
            return Err(refused);
        }
        self.links.set_link_detect(self.settings.link_detect);
        self.engine
            .set_smoothing_half_life(self.settings.smoothing_half_life);
        self.reprice();
        Ok(())
    }

    /// Gives extension and policy what the settings now say, if it is anything new.
    pub(super) fn reprice(&mut self) {
        let now = clock::now();
        let extension = prices::extension(&self.settings, &self.links);
        if extension != *self.engine.extension() {
            self.engine
                .update_extension(now, |known| *known = extension);
        }
        let policy = prices::policy(&self.settings);
        if policy != *self.engine.policy() {
            self.engine.update_policy(now, |known| *known = policy);
        }
    }
}

fn fixed(what: &str) -> Refused {
    Refused::Bad(format!("{what} cannot be changed at run time"))
}
