//! Filter rules: selectors and actions in any order.
//!
//! All prefixes and addresses of a rule are of one family, except `neigh`. Lengths are those of
//! that family; a rule that bounds lengths without any of them is for IPv6 only, as in stock.

use super::error::ConfigError;
use super::lexer::{Line, Word, shown};
use super::parse_global::price;
use super::statement::FilterKind;
use babel_core::filter::{PlenRange, Rule};
use babel_core::prefix::{Family, Prefix};
use std::net::IpAddr;

pub(super) const WORDS: [&str; 20] = [
    "ip",
    "eq",
    "le",
    "ge",
    "src-ip",
    "src-eq",
    "src-le",
    "src-ge",
    "neigh",
    "id",
    "proto",
    "local",
    "if",
    "allow",
    "deny",
    "metric",
    "price",
    "src-prefix",
    "table",
    "pref-src",
];

/// Reads a rule up to the end of the line.
pub(super) fn rule(line: &mut Line<'_>, kind: FilterKind) -> Result<Rule, ConfigError> {
    let mut draft = Draft::new(kind);
    while !line.at_end() {
        let word = line.word("a selector or an action")?;
        if !draft.selector(line, &word)? && !draft.action(line, &word)? {
            let kind = kind.word();
            let reason = format!(
                "'{}' is neither a selector nor an action of '{kind}'",
                shown(&word.text)
            );
            return Err(line.unknown(&word, reason, &WORDS));
        }
    }
    Ok(draft.finish(line))
}

/// A rule in the making.
struct Draft {
    kind: FilterKind,
    rule: Rule,
    plen: Bounds,
    src_plen: Bounds,
}

/// Bounds as given, in units of a family not yet known.
#[derive(Clone, Copy)]
struct Bounds {
    ge: u8,
    le: u8,
}

impl Bounds {
    const ANY: Self = Self { ge: 0, le: 128 };

    /// Narrows by `eq`, `le` or `ge`: several of them all hold.
    fn narrow(&mut self, word: &str, plen: u8) {
        if !word.ends_with("le") {
            self.ge = self.ge.max(plen);
        }
        if !word.ends_with("ge") {
            self.le = self.le.min(plen);
        }
    }

    /// The bounds in `family`; `None` if all lengths are within.
    fn range(self, family: Option<Family>) -> Option<PlenRange> {
        let bits = family.unwrap_or(Family::V6).bits();
        (self.ge > 0 || self.le < bits).then_some(PlenRange {
            min: self.ge,
            max: self.le.min(bits),
        })
    }
}

impl Draft {
    fn new(kind: FilterKind) -> Self {
        Self {
            kind,
            rule: Rule::default(),
            plen: Bounds::ANY,
            src_plen: Bounds::ANY,
        }
    }

    /// Reads the selector `word`; false if it is none.
    fn selector(&mut self, line: &mut Line<'_>, word: &Word) -> Result<bool, ConfigError> {
        let name = word.text.as_str();
        match name {
            "ip" => self.rule.ip = Some(self.prefix(line, name)?),
            "src-ip" => self.rule.src_ip = Some(self.prefix(line, name)?),
            "eq" | "le" | "ge" => self.plen.narrow(name, plen(line, name)?),
            "src-eq" | "src-le" | "src-ge" => self.src_plen.narrow(name, plen(line, name)?),
            "neigh" => {
                self.rule.neigh = Some(line.address(name)?);
                self.pointless(line, name, &[FilterKind::In, FilterKind::Install]);
            }
            "id" => {
                self.rule.id = Some(line.id(name)?);
                let kinds = [FilterKind::In, FilterKind::Out, FilterKind::Install];
                self.pointless(line, name, &kinds);
            }
            "proto" => {
                // Stock keeps both in one place: the last one wins, and 0 selects nothing.
                let proto = line.integer16(name, 0..=255)?;
                self.rule.proto = u8::try_from(proto).ok().filter(|proto| *proto != 0);
                self.rule.local = false;
                self.pointless(line, name, &[FilterKind::Redistribute]);
            }
            "local" => {
                self.rule.proto = None;
                self.rule.local = true;
                self.pointless(line, name, &[FilterKind::Redistribute]);
            }
            "if" => self.rule.interface = Some(line.interface_name(name)?.text),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads the action `word`; false if it is none.
    fn action(&mut self, line: &mut Line<'_>, word: &Word) -> Result<bool, ConfigError> {
        let name = word.text.as_str();
        let action = &mut self.rule.action;
        match name {
            // These three set the same thing, so the last one wins.
            "allow" => (action.deny, action.metric) = (false, 0),
            "deny" => (action.deny, action.metric) = (true, 0),
            "metric" => {
                let metric = line.integer16(name, 1..=u16::MAX)?;
                let infinite = metric == u16::MAX;
                (action.deny, action.metric) = (infinite, if infinite { 0 } else { metric });
                if self.kind == FilterKind::Install && !infinite {
                    line.warn(
                        "install metric",
                        "'metric' in an 'install' rule has no effect",
                    );
                }
            }
            "price" if self.kind == FilterKind::Install => {
                let reason = "'price' has no meaning in an 'install' rule: it belongs to 'in', \
                              'out' and 'redistribute'";
                return Err(line.error(word, reason));
            }
            "price" => action.price = Some(price(line, name)?),
            "src-prefix" => {
                self.rule.action.src_prefix = Some(self.prefix(line, name)?);
                self.idle(line, name, FilterKind::Redistribute);
            }
            "table" => {
                action.table = Some(u32::from(line.integer16(name, 1..=u16::MAX)?));
                self.idle(line, name, FilterKind::Install);
            }
            "pref-src" => {
                let address = self.pref_src(line, name)?;
                self.rule.action.pref_src = Some(address);
                self.idle(line, name, FilterKind::Install);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The rule, with lengths in the units of its family.
    fn finish(mut self, line: &mut Line<'_>) -> Rule {
        let bounded = |bounds: Bounds| bounds.range(Some(Family::V6)).is_some();
        if self.rule.family.is_none() && (bounded(self.plen) || bounded(self.src_plen)) {
            self.rule.family = Some(Family::V6);
        }
        self.rule.plen = self.plen.range(self.rule.family);
        self.rule.src_plen = self.src_plen.range(self.rule.family);
        for range in [self.rule.plen, self.rule.src_plen].into_iter().flatten() {
            if range.min > range.max {
                line.warn(
                    "lengths",
                    format!(
                        "this rule matches nothing: no length is at least {} and at most {}",
                        range.min, range.max
                    ),
                );
            }
        }
        self.rule
    }

    fn prefix(&mut self, line: &mut Line<'_>, name: &str) -> Result<Prefix, ConfigError> {
        let (prefix, word) = line.prefix(name)?;
        self.agree(line, &word, prefix.family())?;
        Ok(prefix)
    }

    fn pref_src(&mut self, line: &mut Line<'_>, name: &str) -> Result<IpAddr, ConfigError> {
        let (address, word) = line.address_word(name)?;
        let family = if address.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        self.agree(line, &word, family)?;
        Ok(address)
    }

    /// Refuses a second family.
    fn agree(&mut self, line: &Line<'_>, word: &Word, family: Family) -> Result<(), ConfigError> {
        let name = |family| match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        match self.rule.family {
            Some(known) if known != family => {
                let reason = format!(
                    "'{}' is {}, but this rule is for {} already: write one rule for each",
                    shown(&word.text),
                    name(family),
                    name(known)
                );
                Err(line.error(word, reason))
            }
            _ => {
                self.rule.family = Some(family);
                Ok(())
            }
        }
    }

    /// Warns of a selector that makes the rule match nothing in this kind of filter.
    fn pointless(&self, line: &mut Line<'_>, name: &str, kinds: &[FilterKind]) {
        let kind = self.kind.word();
        if !kinds.contains(&self.kind) {
            line.warn(
                &format!("{kind} {name}"),
                format!("with '{name}', an '{kind}' rule matches nothing"),
            );
        }
    }

    /// Warns of an action that does nothing in this kind of filter.
    fn idle(&self, line: &mut Line<'_>, name: &str, place: FilterKind) {
        let kind = self.kind.word();
        if self.kind != place {
            line.warn(
                &format!("{kind} {name}"),
                format!(
                    "'{name}' has no effect in an '{kind}' rule, only in '{}'",
                    place.word()
                ),
            );
        }
    }
}

fn plen(line: &mut Line<'_>, name: &str) -> Result<u8, ConfigError> {
    let plen = line.integer16(name, 0..=128)?;
    Ok(u8::try_from(plen).unwrap_or(128))
}
