//! Policy rules: which table a packet is looked up in.
//!
//! Only what a routing daemon needs: rules that send packets with a firewall mark, or all packets,
//! to a table. Other rules are recognised as such and never confused with these.

use crate::abi;
use crate::error::Error;
use crate::route::Family;
use crate::socket::RouteSocket;
use crate::wire::{Attributes, Encoder, Malformed, read_u32};
use std::fmt;

/// A policy rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rule {
    /// For packets of this family.
    pub family: Family,
    /// Rules are tried from the lowest priority up. `None`, when adding, is just before the rules
    /// that are there (except the very first); read, it is 0.
    pub priority: Option<u32>,
    /// Only for packets so marked.
    pub mark: Option<FirewallMark>,
    /// Look for a route in this table; if there is none, go on with the next rule.
    pub table: u32,
    /// Who added it, as for routes; 0 for nobody in particular.
    pub protocol: u8,
    /// Read only: it has conditions or effects that are not described here.
    pub has_more: bool,
}

/// A condition on the mark that a packet carries inside this host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FirewallMark {
    /// The bits wanted.
    pub value: u32,
    /// The bits looked at.
    pub mask: u32,
}

/// Octets of `struct fib_rule_hdr`.
const HEADER_OCTETS: usize = 12;

impl Rule {
    /// All packets of a family are looked up in `table`.
    pub fn new(family: Family, table: u32) -> Self {
        Self {
            family,
            priority: None,
            mark: None,
            table,
            protocol: 0,
            has_more: false,
        }
    }

    /// Reads the payload of `RTM_NEWRULE`; `None` if it is of another family.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let short = Malformed("rule header cut short");
        let &[family, destination, source, tos, table, _, _, action] =
            payload.first_chunk::<8>().ok_or(short)?;
        let flags = read_u32(payload, 8).ok_or(short)?;
        let Some(family) = Family::from_kernel(family) else {
            return Ok(None);
        };
        let mut rule = Self {
            priority: Some(0),
            ..Self::new(family, u32::from(table))
        };
        rule.has_more = (destination, source, tos) != (0, 0, 0)
            || action != abi::FR_ACT_TO_TBL
            || flags & FLAG_INVERT != 0;
        let (mut value, mut mask) = (None, None);
        for attribute in Attributes::after(payload, HEADER_OCTETS) {
            let attribute = attribute?;
            match attribute.kind {
                abi::FRA_PRIORITY => rule.priority = Some(attribute.u32()?),
                abi::FRA_TABLE => rule.table = attribute.u32()?,
                abi::FRA_FWMARK => value = Some(attribute.u32()?),
                abi::FRA_FWMASK => mask = Some(attribute.u32()?),
                abi::FRA_PROTOCOL => {
                    rule.protocol = *attribute.value.first().ok_or(Malformed("no protocol"))?;
                }
                // The kernel always gives it; all ones is "not used".
                abi::FRA_SUPPRESS_PREFIXLEN => rule.has_more |= attribute.u32()? != u32::MAX,
                abi::FRA_PAD => (),
                _ => rule.has_more = true,
            }
        }
        rule.mark = match (value, mask) {
            (None, None | Some(0)) => None,
            (value, mask) => Some(FirewallMark {
                value: value.unwrap_or(0),
                mask: mask.unwrap_or(u32::MAX),
            }),
        };
        Ok(Some(rule))
    }

    fn encode(&self, encoder: &mut Encoder<'_>) {
        let table = u8::try_from(self.table).unwrap_or(abi::RT_TABLE_COMPAT);
        encoder
            .raw(&[
                self.family.to_kernel(),
                0,
                0,
                0,
                table,
                0,
                0,
                abi::FR_ACT_TO_TBL,
            ])
            .raw(&0_u32.to_ne_bytes());
        if let Some(priority) = self.priority {
            encoder.u32(abi::FRA_PRIORITY, priority);
        }
        if let Some(mark) = self.mark {
            encoder
                .u32(abi::FRA_FWMARK, mark.value)
                .u32(abi::FRA_FWMASK, mark.mask);
        }
        if self.table > u32::from(u8::MAX) {
            encoder.u32(abi::FRA_TABLE, self.table);
        }
        if self.protocol != 0 {
            encoder.attribute(abi::FRA_PROTOCOL, &[self.protocol]);
        }
    }
}

/// `FIB_RULE_INVERT`: for packets that do *not* fit.
const FLAG_INVERT: u32 = 2;

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.family == Family::V4 {
            "IPv4"
        } else {
            "IPv6"
        })?;
        if let Some(priority) = self.priority {
            write!(f, " priority {priority}")?;
        }
        if let Some(mark) = self.mark {
            write!(f, " fwmark {:#x}/{:#x}", mark.value, mark.mask)?;
        }
        write!(f, " table {}", self.table)
    }
}

impl RouteSocket {
    /// All rules of a family, in the order in which they are tried.
    pub fn rules(&mut self, family: Family) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::new();
        let mut malformed = 0;
        let fill = |encoder: &mut Encoder<'_>| {
            encoder
                .raw(&[family.to_kernel(), 0, 0, 0, 0, 0, 0, 0])
                .raw(&[0; 4]);
        };
        // Rules change rarely; a list that was disturbed four times over is still a list.
        let _ = self.dump(
            abi::RTM_GETRULE,
            || "listing rules".to_owned(),
            fill,
            &mut |message| match message.map(|message| Rule::decode(message.payload)) {
                None => rules.clear(),
                Some(Ok(rule)) => rules.extend(rule),
                Some(Err(_)) => malformed += 1,
            },
        )?;
        (0..malformed).for_each(|_| self.count_malformed());
        Ok(rules)
    }

    /// Adds a rule; `EEXIST` if the same is there.
    pub fn add_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let flags = abi::NLM_F_CREATE | abi::NLM_F_EXCL;
        let action = || format!("adding rule {rule}");
        self.change(abi::RTM_NEWRULE, flags, action, |encoder| {
            rule.encode(encoder)
        })
    }

    /// Deletes the first rule that fits all that is given; `ENOENT` if none.
    pub fn delete_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let action = || format!("deleting rule {rule}");
        self.change(abi::RTM_DELRULE, 0, action, |encoder| rule.encode(encoder))
    }
}

#[cfg(test)]
mod tests;
