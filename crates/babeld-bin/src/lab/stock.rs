//! Stock babeld, where it is installed: what it does in a node's place.

use super::network::Options;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where daemons are that are in nobody's search path.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
const VERSION_LIMIT: Duration = Duration::from_secs(2);
/// How to get it.
pub(super) const INSTALL: &str = "apt-get install babeld";

/// An installed babeld that is not ours.
#[derive(Debug)]
pub(super) struct Stock {
    program: PathBuf,
    /// As it says itself: `babeld-1.12.1`.
    pub(super) version: String,
}

impl Stock {
    /// The first in the search path and the usual directories.
    pub(super) fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let usual = SYSTEM.iter().map(PathBuf::from);
        let places: Vec<_> = std::env::split_paths(&path).chain(usual).collect();
        places
            .iter()
            .find_map(|place| Self::at(&place.join("babeld")))
    }

    /// How to run a node with it: it knows no prices and nothing of quality.
    pub(super) fn options(&self) -> Options {
        Options {
            daemon: self.program.clone(),
            prices: false,
        }
    }

    fn at(program: &Path) -> Option<Self> {
        let program = fs::canonicalize(program).ok()?;
        let output = netns::output(Command::new(&program).arg("-V"), VERSION_LIMIT).ok()?;
        // Stock babeld says it on standard error.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let version = said.lines().next()?.trim().to_owned();
        let ours = format!("babeld-{}", env!("CARGO_PKG_VERSION"));
        let stock = version.starts_with("babeld-") && version != ours;
        stock.then_some(Self { program, version })
    }
}
