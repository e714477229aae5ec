//! What a process has used so far, as the kernel counts it.

use anyhow::{Context, Result};
use std::fs;

/// Processor time and memory of a process.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds on a processor, all threads, in the scheduler's nanoseconds.
    pub(crate) cpu: f64,
    /// The part of it in user mode. Counted in hundredths, so good only for sums above a few.
    pub(crate) user: f64,
    /// The most memory resident at any time, in octets.
    pub(crate) peak_rss: u64,
}

impl Usage {
    /// Of a process that runs.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanoseconds += number(schedstat.split_whitespace().next()).unwrap_or(0);
        }
        let stat = read("stat")?;
        // The name may hold anything, blanks and brackets included.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut times = fields.split_whitespace().skip(11);
        let user = number(times.next()).context("utime")?;
        let system = number(times.next()).context("stime")?;
        let status = read("status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = number(peak.and_then(|rest| rest.split_whitespace().next())).context("VmHWM")?;
        let cpu = nanoseconds as f64 / 1e9;
        Ok(Self {
            cpu,
            user: cpu * user as f64 / (user + system).max(1) as f64,
            peak_rss: peak * 1024,
        })
    }

    /// What was used since an earlier look; the peak is that of the whole life.
    #[must_use]
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu - earlier.cpu,
            user: (self.user - earlier.user).max(0.0),
            peak_rss: self.peak_rss,
        }
    }
}

fn number(text: Option<&str>) -> Option<u64> {
    text?.parse().ok()
}
