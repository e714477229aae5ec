//! From keys, interfaces and what these say of keys to the protection of a link.

use super::error::{ConfigError, Place};
use super::key::{Key, KeyType};
use super::lexer::shown;
use super::settings::Settings;
use super::statement::Statement;
use babel_core::auth::{Algorithm, Auth, LinkKey, Purpose};

/// A key on an `interface` or `default` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUse {
    /// Its name.
    pub id: String,
    /// `key` or `accept-key`.
    pub purpose: Purpose,
}

impl Settings {
    /// How the link `name` is protected; `None` if nothing asks for it.
    ///
    /// A key that is missing is left out, and a link without a single one is closed rather than
    /// open; [`Settings::check`] keeps that from happening.
    pub fn link_auth(&self, name: &str) -> Option<Auth> {
        let options = self.interface_options(name);
        if options.keys.is_empty() {
            return None;
        }
        let keys = options.keys.iter().filter_map(|used| {
            let key = self.keys.iter().find(|key| key.id == used.id)?;
            let (key, purpose) = (core_key(key)?, used.purpose);
            Some(LinkKey { key, purpose })
        });
        let mut auth = Auth::new(keys);
        auth.accept_bad_signatures = options.accept_bad_signatures.unwrap_or(false);
        auth.group = self.protocol_group;
        auth.port = self.protocol_port;
        Some(auth)
    }

    /// Refuses a statement that uses a key which is not defined by now. `text` is its line.
    pub(super) fn check_keys(
        &self,
        statement: &Statement,
        text: &str,
        place: &Place,
    ) -> Result<(), ConfigError> {
        let options = match statement {
            Statement::Interface(interface) => &interface.options,
            Statement::Default(options) => options,
            _ => return Ok(()),
        };
        let known = |used: &&KeyUse| self.keys.iter().any(|key| key.id == used.id);
        let Some(missing) = options.keys.iter().find(|used| !known(used)) else {
            return Ok(());
        };
        Err(ConfigError {
            place: place.clone(),
            column: column_of(text, &missing.id),
            word: missing.id.as_str().into(),
            reason: format!("Couldn't find key '{}'", shown(&missing.id)),
            hint: Some("define it before: 'key id NAME type TYPE value HEX'".into()),
            text: text.into(),
        })
    }
}

fn core_key(key: &Key) -> Option<babel_core::auth::Key> {
    let algorithm = match key.key_type {
        KeyType::HmacSha256 => Algorithm::HmacSha256,
        KeyType::Blake2s128 => Algorithm::Blake2s128,
    };
    babel_core::auth::Key::new(algorithm, &key.value)
}

/// Where the key `id` is named on a line, from 1.
fn column_of(text: &str, id: &str) -> u32 {
    let after_key = |at: &usize| {
        let before = text.get(..*at).unwrap_or_default();
        before.ends_with([' ', '\t', '\r']) && before.trim_end().ends_with("key")
    };
    let mut places = text.match_indices(id).map(|(at, _)| at);
    let at = places.find(after_key).unwrap_or(0);
    let before = text.get(..at).unwrap_or_default().chars().count();
    u32::try_from(before).unwrap_or(u32::MAX - 1) + 1
}
