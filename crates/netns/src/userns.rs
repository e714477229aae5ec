//! Being root without being root.

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::fs;

/// Makes sure that this process may make network namespaces: nothing for root, otherwise a user
/// namespace of our own in which we are root. Returns whether one was made.
///
/// Call it early: the process must still have a single thread.
pub fn become_root() -> Result<bool> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        return Ok(false);
    }
    unshare(CloneFlags::CLONE_NEWUSER).context(
        "making a user namespace; this system does not let ordinary users have one, so run it as root",
    )?;
    let write = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, &text).with_context(|| {
            format!("writing {path}; this system restricts user namespaces, so run it as root")
        })
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {user} 1"))?;
    write("gid_map", format!("0 {group} 1"))?;
    Ok(true)
}
