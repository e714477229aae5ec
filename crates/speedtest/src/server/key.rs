//! The file with the responder's key: PKCS#8, readable by its owner only.

#![cfg(feature = "tls")]

use crate::tls::Identity;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A key is some fifty octets; more is another file.
const MOST_OCTETS: u64 = 16 * 1024;

/// Reads the key, or makes one. Errors name the file.
pub(super) fn load(path: &Path) -> io::Result<Identity> {
    let named = |doing: &str, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{doing} {}: {error}", path.display()))
    };
    let key = match OpenOptions::new().read(true).open(path) {
        Ok(file) => {
            let mut key = Vec::new();
            file.take(MOST_OCTETS)
                .read_to_end(&mut key)
                .map_err(|error| named("reading the key", &error))?;
            key
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(|error| named("writing a new key to", &error))?
        }
        Err(error) => return Err(named("reading the key", &error)),
    };
    Identity::from_pkcs8(key).map_err(|error| named("the key in", &error))
}

fn make(path: &Path) -> io::Result<Vec<u8>> {
    let key = Identity::generate().map_err(|why| io::Error::other(why.to_string()))?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder)?;
    }
    // Beside it first: half a key would be refused for ever.
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(key)
}
