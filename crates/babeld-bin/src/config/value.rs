//! Values of options: numbers, intervals, truth values, addresses, prefixes, ids.
//!
//! Integers are those of C's `strtol` with base 0. Each reader takes the option's name, and says in
//! its error what the option would have taken.

use super::error::{ConfigError, nearest};
use super::lexer::{Line, Word, shown};
use babel_core::glob;
use babel_core::prefix::{Family, Prefix};
use babel_core::types::RouterId;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Why a text is not an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadInteger {
    /// It is not a number at all.
    Junk,
    /// It begins with 0, hence is octal, but has a digit above 7.
    Octal,
}

/// An integer as C reads it with base 0: `10`, `0x10`, `010`, with a sign. Huge ones saturate.
pub(crate) fn parse_integer(text: &str) -> Result<i64, BadInteger> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let (radix, digits) = match hex {
        Some(rest) => (16, rest),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        let octal = radix == 8 && digits.chars().all(|c| c.is_ascii_digit());
        return Err(if octal {
            BadInteger::Octal
        } else {
            BadInteger::Junk
        });
    }
    let value = digits.chars().fold(0i64, |value, c| {
        let digit = i64::from(c.to_digit(radix).unwrap_or(0));
        value.saturating_mul(i64::from(radix)).saturating_add(digit)
    });
    Ok(if negative { -value } else { value })
}

/// Thousandths of a decimal number without sign; digits past the third are cut off.
pub(crate) fn parse_thousands(text: &str) -> Option<u32> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u32>().ok()?
    };
    let thousandths = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(3)
        .fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    whole.checked_mul(1000)?.checked_add(thousandths)
}

/// A prefix: `ADDRESS/LENGTH`, an address for a host, `default` for `::/0`.
pub(crate) fn parse_prefix(text: &str) -> Option<Prefix> {
    if text == "default" {
        return Some(Prefix::V6_DEFAULT);
    }
    let Some((address, plen)) = text.split_once('/') else {
        return text.parse().ok().map(Prefix::host);
    };
    let plen = u8::try_from(parse_integer(plen).ok()?).ok()?;
    Prefix::new(address.parse().ok()?, plen)
}

/// A router-id, or a MAC address that becomes one. The flag tells of text after the id.
pub(crate) fn parse_router_id(text: &str) -> Option<(RouterId, bool)> {
    let (octets, rest) = leading_octets(text);
    let id = match *octets.as_slice() {
        [a, b, c, d, e, f, g, h, ..] => RouterId([a, b, c, d, e, f, g, h]),
        [a, b, c, d, e, f] if rest.is_empty() && !text.contains('-') => {
            RouterId([a, b, c, 0xff, 0xfe, d, e, f])
        }
        _ => return None,
    };
    Some((id, !rest.is_empty()))
}

/// Up to eight octets of one or two hexadecimal digits joined by one kind of mark, and what
/// follows.
fn leading_octets(text: &str) -> (Vec<u8>, &str) {
    let mark = if text.contains(':') { ':' } else { '-' };
    let mut octets = Vec::new();
    let mut rest = text;
    loop {
        let digits = rest
            .bytes()
            .take(2)
            .take_while(u8::is_ascii_hexdigit)
            .count();
        let (octet, after) = rest.split_at(digits);
        let Ok(octet) = u8::from_str_radix(octet, 16) else {
            return (octets, rest);
        };
        octets.push(octet);
        if octets.len() == 8 {
            return (octets, after);
        }
        match after.strip_prefix(mark) {
            Some(next) => rest = next,
            None => return (octets, after),
        }
    }
}

/// What to say of an interface name that no interface can have. Stock waits for it in silence.
pub(crate) fn impossible_name(name: &str) -> Option<String> {
    const LONGEST: usize = 15;
    (name.len() > LONGEST && !glob::is_pattern(name)).then(|| {
        format!(
            "'{}' is longer than the {LONGEST} octets of an interface name: it will never appear",
            shown(name)
        )
    })
}

impl Line<'_> {
    /// An integer in `range`.
    pub(super) fn integer(
        &mut self,
        option: &str,
        range: RangeInclusive<i64>,
    ) -> Result<i64, ConfigError> {
        Ok(self.integer_word(option, range)?.0)
    }

    /// An integer in `range`, and the word it was.
    pub(super) fn integer_word(
        &mut self,
        option: &str,
        range: RangeInclusive<i64>,
    ) -> Result<(i64, Word), ConfigError> {
        let takes = format!(
            "'{option}' takes a number from {} to {}",
            range.start(),
            range.end()
        );
        let word = self.word(&format!("the number for '{option}'"))?;
        match parse_integer(&word.text) {
            Ok(value) if range.contains(&value) => Ok((value, word)),
            Ok(_) => Err(self.bad(&word, "is out of range", &takes)),
            Err(BadInteger::Junk) => Err(self.bad(&word, "is not a whole number", &takes)),
            Err(BadInteger::Octal) => {
                let what = "is not a number: a leading 0 means octal";
                Err(self.bad(&word, what, &takes))
            }
        }
    }

    /// An integer in `range` that fits 16 bits.
    pub(super) fn integer16(
        &mut self,
        option: &str,
        range: RangeInclusive<u16>,
    ) -> Result<u16, ConfigError> {
        let most = *range.end();
        let value = self.integer(option, i64::from(*range.start())..=i64::from(most))?;
        Ok(u16::try_from(value).unwrap_or(most))
    }

    /// An integer in `range` that fits 32 bits.
    pub(super) fn integer32(
        &mut self,
        option: &str,
        range: RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        let most = *range.end();
        let value = self.integer(option, i64::from(*range.start())..=i64::from(most))?;
        Ok(u32::try_from(value).unwrap_or(most))
    }

    /// Thousandths of a decimal number, above zero and at most `most`; `unit` names the whole.
    pub(super) fn thousandths(
        &mut self,
        option: &str,
        unit: &str,
        most: u32,
    ) -> Result<u32, ConfigError> {
        let takes = format!(
            "'{option}' takes {unit} from 0.001 to {}.{:03}",
            most / 1000,
            most % 1000
        );
        let word = self.word(&format!("the number of {unit} for '{option}'"))?;
        match parse_thousands(&word.text) {
            Some(value) if (1..=most).contains(&value) => Ok(value),
            Some(_) => Err(self.bad(&word, "is out of range", &takes)),
            None if word.text.len() > 6 && word.text.bytes().all(|b| b.is_ascii_digit()) => {
                Err(self.bad(&word, "is out of range", &takes))
            }
            None => Err(self.bad(&word, "is not a decimal number", &takes)),
        }
    }

    /// An interval in seconds that a TLV can hold.
    pub(super) fn seconds(&mut self, option: &str) -> Result<Duration, ConfigError> {
        let millis = self.thousandths(option, "seconds", 655_350)?;
        Ok(Duration::from_millis(u64::from(millis)))
    }

    /// A round-trip time in milliseconds.
    pub(super) fn milliseconds(&mut self, option: &str) -> Result<Duration, ConfigError> {
        let micros = self.thousandths(option, "milliseconds", i32::MAX as u32)?;
        Ok(Duration::from_micros(u64::from(micros)))
    }

    /// A truth value; `None` is `auto`.
    pub(super) fn tristate(&mut self, option: &str) -> Result<Option<bool>, ConfigError> {
        let word = self.word(&format!("true, false or auto for '{option}'"))?;
        match word.text.as_str() {
            "true" | "yes" => Ok(Some(true)),
            "false" | "no" => Ok(Some(false)),
            "auto" | "default" => Ok(None),
            _ => {
                let takes = format!("'{option}' takes true, false or auto");
                Err(self.bad(&word, "is not a truth value", &takes))
            }
        }
    }

    /// A truth value; `auto` is false.
    pub(super) fn boolean(&mut self, option: &str) -> Result<bool, ConfigError> {
        Ok(self.tristate(option)?.unwrap_or(false))
    }

    /// One of `choices`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        option: &str,
        choices: &[(&'static str, T)],
    ) -> Result<T, ConfigError> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let word = self.word(&format!("one of {} for '{option}'", words.join(", ")))?;
        match choices.iter().find(|(choice, _)| *choice == word.text) {
            Some((_, value)) => Ok(*value),
            None => {
                let reason = format!(
                    "'{}' is not one of {} for '{option}'",
                    shown(&word.text),
                    words.join(", ")
                );
                Err(self.unknown(&word, reason, &words))
            }
        }
    }

    /// An address.
    pub(super) fn address(&mut self, option: &str) -> Result<IpAddr, ConfigError> {
        Ok(self.address_word(option)?.0)
    }

    /// An address, and the word it was.
    pub(super) fn address_word(&mut self, option: &str) -> Result<(IpAddr, Word), ConfigError> {
        let word = self.word(&format!("the address for '{option}'"))?;
        match word.text.parse() {
            Ok(address) => Ok((address, word)),
            Err(_) => {
                let takes = format!("'{option}' takes an IPv4 or IPv6 address");
                Err(self.bad(&word, "is not an address", &takes))
            }
        }
    }

    /// A multicast group of IPv6.
    pub(super) fn group(&mut self, option: &str) -> Result<Ipv6Addr, ConfigError> {
        let word = self.word(&format!("the multicast address for '{option}'"))?;
        match word.text.parse::<Ipv6Addr>() {
            Ok(group) if group.is_multicast() => Ok(group),
            Ok(_) | Err(_) => {
                let takes = format!("'{option}' takes an IPv6 multicast address");
                Err(self.bad(&word, "is not a multicast address", &takes))
            }
        }
    }

    /// A prefix, and the word it was.
    pub(super) fn prefix(&mut self, option: &str) -> Result<(Prefix, Word), ConfigError> {
        let word = self.word(&format!("the prefix for '{option}'"))?;
        Ok((self.prefix_of(&word, option)?, word))
    }

    /// The prefix that `word` is.
    pub(super) fn prefix_of(&self, word: &Word, option: &str) -> Result<Prefix, ConfigError> {
        parse_prefix(&word.text).ok_or_else(|| {
            let takes = format!(
                "'{option}' takes ADDRESS/LENGTH, with a length of at most {} (IPv4) or {} (IPv6), \
                 or 'default' for ::/0",
                Family::V4.bits(),
                Family::V6.bits()
            );
            self.bad(word, "is not a prefix", &takes)
        })
    }

    /// A router-id that a router may have.
    pub(super) fn router_id(&mut self, option: &str) -> Result<RouterId, ConfigError> {
        let (id, word) = self.id_word(option)?;
        if id.is_valid() {
            return Ok(id);
        }
        let takes = "a router-id must be neither all zeroes nor all ones";
        Err(self.bad(&word, "cannot be used", takes))
    }

    /// Any router-id.
    pub(super) fn id(&mut self, option: &str) -> Result<RouterId, ConfigError> {
        Ok(self.id_word(option)?.0)
    }

    fn id_word(&mut self, option: &str) -> Result<(RouterId, Word), ConfigError> {
        let word = self.word(&format!("the router-id for '{option}'"))?;
        let Some((id, followed)) = parse_router_id(&word.text) else {
            let takes = format!(
                "'{option}' takes eight hexadecimal octets joined by ':' or '-', or a MAC address"
            );
            return Err(self.bad(&word, "is not a router-id", &takes));
        };
        if followed {
            let text = shown(&word.text);
            self.warn(
                option,
                format!("'{text}' has text after the router-id {id}: ignored"),
            );
        }
        Ok((id, word))
    }

    /// A file name; `None` if it is empty.
    pub(super) fn path(&mut self, option: &str) -> Result<Option<PathBuf>, ConfigError> {
        let word = self.string(&format!("the file name for '{option}'"))?;
        Ok((!word.text.is_empty()).then(|| PathBuf::from(word.text)))
    }

    /// The name of an interface.
    pub(super) fn interface_name(&mut self, option: &str) -> Result<Word, ConfigError> {
        let word = self.string(&format!("the interface name for '{option}'"))?;
        if word.text.is_empty() {
            return Err(self.error(&word, format!("the interface name for '{option}' is empty")));
        }
        if let Some(text) = impossible_name(&word.text) {
            self.warn(&word.text, text);
        }
        Ok(word)
    }

    /// "'WORD' WHAT: TAKES".
    pub(super) fn bad(&self, word: &Word, what: &str, takes: &str) -> ConfigError {
        self.error(word, format!("'{}' {what}: {takes}", shown(&word.text)))
    }

    /// An error at a word that is not known, with the nearest of those that are.
    pub(super) fn unknown(&self, word: &Word, reason: String, known: &[&str]) -> ConfigError {
        let mut error = self.error(word, reason);
        error.hint = nearest(&word.text, known).map(|near| format!("did you mean '{near}'?"));
        error
    }
}
