//! Kernel parameters a router needs, changed at start and put back at exit.
//!
//! A value is written only if it differs, and restored only if we wrote it. An interface that
//! vanished takes its parameters with it: nothing to restore, no error.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Forwarding on; no redirects, no reverse-path filter: asymmetric routes are normal in a mesh.
const GLOBAL: [(&str, &str); 4] = [
    ("net/ipv6/conf/all/forwarding", "1"),
    ("net/ipv4/conf/all/forwarding", "1"),
    ("net/ipv6/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/all/rp_filter", "0"),
];

/// A parameter could not be read or written. The texts are stock babeld's.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// Reading.
    #[error("Couldn't read sysctl: {1} ({0})")]
    Read(PathBuf, #[source] io::Error),
    /// Writing.
    #[error("Couldn't write sysctl: {1} ({0})")]
    Write(PathBuf, #[source] io::Error),
}

/// What we changed, and what it was.
#[derive(Debug)]
pub struct Sysctls {
    root: PathBuf,
    /// Old values in the order they were changed.
    global: Vec<(&'static str, String)>,
    /// Old `rp_filter` by interface.
    interfaces: BTreeMap<String, String>,
}

impl Default for Sysctls {
    fn default() -> Self {
        Self::at("/proc/sys")
    }
}

impl Sysctls {
    /// Those below `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            global: Vec::new(),
            interfaces: BTreeMap::new(),
        }
    }

    /// Sets the host's parameters. What was changed before a failure is remembered.
    pub fn set_up(&mut self) -> Result<(), SysctlError> {
        for (name, value) in GLOBAL {
            if let Some(old) = change(&self.root.join(name), value)? {
                self.global.push((name, old));
            }
        }
        Ok(())
    }

    /// Turns the reverse-path filter of `interface` off.
    pub fn set_up_interface(&mut self, interface: &str) -> Result<(), SysctlError> {
        if let Some(old) = change(&self.rp_filter(interface), "0")? {
            self.interfaces.entry(interface.to_owned()).or_insert(old);
        }
        Ok(())
    }

    /// Puts the reverse-path filter of `interface` back.
    pub fn restore_interface(&mut self, interface: &str) {
        if let Some(old) = self.interfaces.remove(interface) {
            restore(&self.rp_filter(interface), &old);
        }
    }

    /// Puts everything back, the last change first.
    pub fn restore(&mut self) {
        while let Some((interface, old)) = self.interfaces.pop_last() {
            restore(&self.rp_filter(&interface), &old);
        }
        while let Some((name, old)) = self.global.pop() {
            restore(&self.root.join(name), &old);
        }
    }

    fn rp_filter(&self, interface: &str) -> PathBuf {
        // Interface names hold no slash; dots are plain letters in a path.
        let conf = self.root.join("net/ipv4/conf");
        conf.join(interface).join("rp_filter")
    }
}

impl Drop for Sysctls {
    /// Whatever becomes of the start, the host gets its parameters back.
    fn drop(&mut self) {
        self.restore();
    }
}

/// Writes `value` if something else is there; what was there.
fn change(path: &Path, value: &str) -> Result<Option<String>, SysctlError> {
    let old = fs::read_to_string(path).map_err(|e| SysctlError::Read(path.to_owned(), e))?;
    let old = old.trim();
    if old == value {
        return Ok(None);
    }
    fs::write(path, value).map_err(|e| SysctlError::Write(path.to_owned(), e))?;
    Ok(Some(old.to_owned()))
}

fn restore(path: &Path, old: &str) {
    match fs::write(path, old) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("Couldn't write sysctl: {error} ({})", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (name, value) in GLOBAL
            .into_iter()
            .chain([("net/ipv4/conf/a.b/rp_filter", "1")])
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            let value = if name.contains("ipv6") { value } else { "2" };
            fs::write(path, format!("{value}\n")).expect("a file");
        }
        root
    }

    fn value(root: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(root.path().join(name)).expect("a value")
    }

    #[test]
    fn only_what_differs_is_changed_and_put_back() {
        let root = tree();
        let mut sysctls = Sysctls::at(root.path());
        sysctls.set_up().expect("all are there");
        sysctls.set_up_interface("a.b").expect("it is there");
        assert_eq!(value(&root, "net/ipv4/conf/all/forwarding"), "1");
        assert_eq!(value(&root, "net/ipv4/conf/a.b/rp_filter"), "0");
        fs::write(root.path().join("net/ipv6/conf/all/forwarding"), "7").expect("a file");
        sysctls.restore();
        assert_eq!(value(&root, "net/ipv4/conf/all/forwarding"), "2");
        assert_eq!(value(&root, "net/ipv4/conf/a.b/rp_filter"), "2");
        // It was right when we came: not ours to touch.
        assert_eq!(value(&root, "net/ipv6/conf/all/forwarding"), "7");
    }

    #[test]
    fn a_vanished_interface_is_not_an_error_at_the_end_but_is_at_the_start() {
        let root = tree();
        let mut sysctls = Sysctls::at(root.path());
        let error = sysctls.set_up_interface("nope").expect_err("not there");
        assert!(
            error
                .to_string()
                .starts_with("Couldn't read sysctl: No such file")
        );
        sysctls.set_up_interface("a.b").expect("it is there");
        fs::remove_dir_all(root.path().join("net/ipv4/conf/a.b")).expect("a directory");
        sysctls.restore();
    }
}
