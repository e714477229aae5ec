//! The helper for this crate's own tests, and the creator that they kill.

use anyhow::{Context, Result};
use netns::{Lab, link};
use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    netns::init();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netns-helper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes two linked namespaces with a program in one, says their process ids, waits to be killed.
fn serve() -> Result<()> {
    let logs = std::env::args_os()
        .nth(1)
        .context("usage: netns-helper LOG-DIRECTORY")?;
    netns::become_root()?;
    let lab = Lab::new(logs)?;
    let (west, east) = (lab.namespace("west")?, lab.namespace("east")?);
    link(&west, "east", &east, "west")?;
    let mut sleep = west.command("sleep");
    sleep.arg("300");
    let sleep = west.spawn("sleep", sleep)?;
    // One that its starter does not know of, as a program leaves that detaches itself.
    west.run(
        &["sh", "-c", "sleep 300 >&- 2>&- <&- & echo $!"],
        std::time::Duration::from_secs(5),
    )
    .map(|output| print!("{}", String::from_utf8_lossy(&output.stdout)))?;
    println!("{} {} {}", west.pid(), east.pid(), sleep.pid());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
