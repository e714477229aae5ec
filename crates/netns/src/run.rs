//! Waiting, always with a deadline.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Between looks at something that cannot announce itself.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs a command to its end and returns its output; after `limit` it is killed, with its children.
pub fn output(command: &mut Command, limit: Duration) -> Result<Output> {
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("starting the program")?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let out = thread::spawn(move || read_all(out));
    let err = thread::spawn(move || read_all(err));
    let status = wait_for_exit(&mut child, limit);
    if status.is_none() {
        // The whole group, or the readers would wait for whoever else has the pipes.
        let _ = i32::try_from(child.id()).map(|pid| killpg(Pid::from_raw(pid), Signal::SIGKILL));
        let _ = child.wait();
    }
    let stdout = out.join().unwrap_or_default();
    let stderr = err.join().unwrap_or_default();
    let Some(status) = status else {
        let said = String::from_utf8_lossy(&stderr).into_owned();
        bail!(
            "not finished after {:.1} s, killed; errors so far: {said:?}",
            limit.as_secs_f64()
        );
    };
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// Waits for a process to end; `None` after `limit`.
pub fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    wait_for(limit, || child.try_wait().ok().flatten())
}

/// Asks until there is an answer; `None` after `limit`.
pub fn wait_for<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// A program built or installed together with the running one: beside it, or for a test binary
/// (`target/debug/deps/…`) one directory up.
pub fn sibling(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding the running program")?;
    let directory = own.parent().unwrap_or_else(|| Path::new("/"));
    let mut places = vec![directory.join(program)];
    if let Some(above) = directory.parent().filter(|_| directory.ends_with("deps")) {
        places.push(above.join(program));
    }
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(place.clone()),
        None => bail!(
            "{program} is not beside {}; build it with cargo build",
            own.display()
        ),
    }
}

fn read_all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes);
    }
    bytes
}
