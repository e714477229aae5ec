//! `key id ID type TYPE value HEX`, in any order.

use super::error::ConfigError;
use super::key::{Key, KeyType};
use super::lexer::{Line, shown};

/// Reads a key up to the end of the line. No message shows the line.
pub(super) fn key(line: &mut Line<'_>) -> Result<Key, ConfigError> {
    line.conceal();
    let mut id = None;
    let mut key_type = None;
    let mut value = None;
    while !line.at_end() {
        let word = line.word("'id', 'type' or 'value'")?;
        match word.text.as_str() {
            "id" => id = Some(line.word("the name after 'id'")?.text),
            "type" => key_type = Some(read_type(line)?),
            "value" => {
                let hex = line.word("the hexadecimal value after 'value'")?;
                let octets = decode(&hex.text).ok_or_else(|| {
                    let reason = "Couldn't parse key value: it takes an even number of \
                                  hexadecimal digits";
                    line.error(&hex, reason)
                })?;
                value = Some((octets, hex));
            }
            // A stray word here may be the secret itself, so it is not repeated.
            _ => {
                let reason = "Unrecognized keyword: 'key' takes 'id', 'type' and 'value'";
                return Err(line.error(&word, reason));
            }
        }
    }
    let id = id.ok_or_else(|| line.missing("No key id was given: 'id NAME'"))?;
    let key_type = key_type
        .ok_or_else(|| line.missing("Key type 'none' isn't supported: 'type hmac-sha256'"))?;
    let (octets, hex) = match value {
        Some((octets, hex)) => (octets, Some(hex)),
        None => (Vec::new(), None),
    };
    let (least, most) = match key_type {
        KeyType::HmacSha256 => (1, 64),
        KeyType::Blake2s128 => (1, 32),
    };
    if !(least..=most).contains(&octets.len()) {
        let Some(hex) = hex else {
            return Err(line.missing("the key's value ('value HEX')"));
        };
        let reason = format!(
            "Key length is {}, expected {least} to {most} octets",
            octets.len()
        );
        return Err(line.error(&hex, reason));
    }
    Ok(Key {
        id,
        key_type,
        value: octets,
    })
}

fn read_type(line: &mut Line<'_>) -> Result<KeyType, ConfigError> {
    let word = line.word("the type after 'type'")?;
    match word.text.as_str() {
        "hmac-sha256" => Ok(KeyType::HmacSha256),
        "blake2s128" => Ok(KeyType::Blake2s128),
        other => {
            let reason = format!(
                "Key type '{}' isn't supported: it takes hmac-sha256 or blake2s128",
                shown(other)
            );
            Err(line.error(&word, reason))
        }
    }
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let octets = digits?
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
        .collect();
    Some(octets)
}
