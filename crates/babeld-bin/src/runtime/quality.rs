//! What is known of the neighbours' quality: from measurements to ranks, and from ranks to routes.
//!
//! There is a [`Quality`] only while ranking is on; without one there is no timer, no file, no
//! rule and no counter, and routing is stock babeld's. The ranker decides what measurements mean,
//! the policy what ranks mean; here they are only brought together, at once for what is new and
//! when the ranker says so for what ages. Only prefixes with a route of a neighbour that changed
//! are judged again.

mod addresses;
mod conduct;
mod file;
mod passive;
mod plan;
mod trials;

use super::{NetlinkKernel, Running};
use crate::clock;
use crate::config::{Measure, QualitySettings, Settings};
use crate::node::{Refused, TestCounters, TestView};
use crate::probe::{PinSettings, Pins, WATCH_INTERVAL, Watch, sweep_addresses};
use addresses::ProbeAddresses;
use babel_core::time::Instant;
use babel_core::types::LinkId;
use babel_netlink::FirewallMark;
use file::QualityFile;
use passive::Checks;
use plan::Planner;
use qos_ranker::{Goals, Peer, Ranker, Ranks, Report, Source, Standing};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trials::Trials;

/// Measurements, and what follows from them.
#[derive(Debug)]
pub(super) struct Quality {
    ranker: Ranker,
    /// What the policy has.
    published: Ranks,
    /// When to look whether something else is to be published.
    publish: Option<Instant>,
    /// As configured.
    path: Option<PathBuf>,
    /// Where it can be used.
    file: Option<QualityFile>,
    /// A client measured; the configuration need not ask for ranking.
    asked: bool,
    pins: Pins,
    addresses: ProbeAddresses,
    planner: Planner,
    trials: Trials,
    watch: Watch,
    watch_due: Instant,
    checks: Checks,
}

impl Quality {
    /// Begins with what a former life left.
    fn begin(now: Instant, settings: &QualitySettings) -> Self {
        let mut quality = Self {
            ranker: Ranker::new(),
            published: Ranks::default(),
            publish: Some(now),
            path: settings.quality_file.clone(),
            file: settings.quality_file.clone().map(QualityFile::new),
            asked: false,
            pins: Pins::new(pin_settings(settings)),
            addresses: ProbeAddresses::default(),
            planner: Planner::new(),
            trials: Trials::new(),
            watch: Watch::default(),
            watch_due: now + WATCH_INTERVAL,
            checks: Checks::default(),
        };
        quality.load(now, settings);
        quality
    }

    fn load(&mut self, now: Instant, settings: &QualitySettings) {
        let Some(file) = &mut self.file else {
            return;
        };
        let Some(text) = file.load(now) else {
            return;
        };
        let name = file.path().display();
        match Ranker::from_text(&text, now, since_1970()) {
            Ok(restored) => {
                if restored.bad > 0 {
                    tracing::warn!(
                        "quality-file {name}: {} lines cannot be read, the first is line {}",
                        restored.bad,
                        restored.bad_lines.first().unwrap_or(&0),
                    );
                }
                self.ranker = restored.ranker;
                self.planner.restore(&text, now, settings);
            }
            Err(error) => {
                tracing::warn!(
                    "quality-file {name}: {error}; it is left alone and nothing is kept: remove \
                     it, or set another 'quality-file'"
                );
                self.file = None;
            }
        }
    }

    /// Takes over what the settings say.
    fn follow(&mut self, now: Instant, settings: &QualitySettings) {
        self.ranker.set_goals(goals(settings));
        self.planner.follow(now, settings);
        if self.path != settings.quality_file {
            self.path.clone_from(&settings.quality_file);
            self.file = self.path.clone().map(QualityFile::new);
            if let Some(file) = &mut self.file {
                file.changed(now);
            }
        }
    }

    /// What the policy has.
    pub(super) const fn published(&self) -> &Ranks {
        &self.published
    }

    /// Something was measured or forgotten.
    fn changed(&mut self, now: Instant) {
        self.publish = Some(now);
        if let Some(file) = &mut self.file {
            file.changed(now);
        }
    }

    /// Interfaces came or went, or their numbers did.
    pub(super) const fn links_changed(&mut self, now: Instant) {
        self.publish = Some(now);
    }

    /// A Babel packet arrived.
    pub(super) fn heard(&mut self, link: LinkId) {
        self.watch.heard(link);
    }

    /// A Babel packet left.
    pub(super) fn said(&mut self, link: LinkId) {
        self.watch.said(link);
    }

    fn next(&self, now: Instant) -> Option<Instant> {
        let due = [
            self.publish,
            self.file.as_ref().and_then(QualityFile::next),
            self.trials.next(now),
            self.planner.next(),
            Some(self.watch_due),
        ];
        due.into_iter().flatten().min()
    }

    /// Writes the file if it is time, or `at_last` if there is anything to write.
    fn save(&mut self, now: Instant, at_last: bool) {
        if let Some(file) = &mut self.file
            && file.is_due(now, at_last)
        {
            let mut text = self.ranker.to_text(now, since_1970());
            text.push_str(&self.planner.spending(now));
            file.save(now, &text);
        }
    }
}

impl NetlinkKernel {
    /// Removes what a life that was cut short left of pins and probe addresses.
    pub fn sweep_probes(&mut self, settings: &QualitySettings) -> Result<(), babel_netlink::Error> {
        let kernel = self.socket();
        let mut count = Pins::new(pin_settings(settings)).sweep(kernel)?;
        let links = kernel.links()?;
        if let Some(lo) = links.iter().find(|link| link.flags.loopback) {
            count += sweep_addresses(lo.index, kernel)?;
        }
        if count > 0 {
            tracing::warn!("removed {count} rules, routes and addresses of unfinished speed tests");
        }
        Ok(())
    }
}

/// By the system's clock, which may jump: it only tells how long a daemon was away.
fn since_1970() -> Duration {
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The marks, tables and priority of a configuration.
fn pin_settings(settings: &QualitySettings) -> PinSettings {
    PinSettings {
        mark: FirewallMark {
            value: settings.probe_mark.slot(0),
            mask: settings.probe_mark.mask(),
        },
        table: settings.probe_table,
        priority: settings.probe_priority,
    }
}

/// The goals of a configuration.
pub(super) fn goals(settings: &QualitySettings) -> Goals {
    let mut goals = Goals::default();
    for goal in &settings.goals {
        goals.set(goal.prefix, goal.quality);
    }
    goals
}

impl Running {
    /// Begins or ends ranking, as the settings and clients ask, and takes over what they say. The
    /// policy is the caller's business.
    pub(super) fn follow_quality(&mut self, now: Instant) {
        let asked = self.quality.as_ref().is_some_and(|quality| quality.asked);
        if !self.settings.ranking_on() && !asked {
            if self.quality.is_some() {
                self.end_quality(now);
                tracing::info!("Neighbours are no longer ranked.");
            }
            return;
        }
        let settings = &self.settings.quality;
        let quality = self.quality.get_or_insert_with(|| {
            tracing::info!("Neighbours are ranked by what is measured through them.");
            Box::new(Quality::begin(now, settings))
        });
        quality.follow(now, settings);
        if *quality.pins.settings() != pin_settings(settings) {
            self.repin(now);
        }
    }

    /// What is due of measuring and ranking.
    pub(super) fn do_quality(&mut self, now: Instant) {
        if self.quality.is_none() {
            return;
        }
        self.follow_trials(now);
        self.watch_links(now);
        self.follow_plan(now);
        let Some(quality) = &mut self.quality else {
            return;
        };
        quality.save(now, false);
        if quality.publish.is_some_and(|due| due <= now) {
            self.publish_ranks(now);
        }
    }

    /// When [`Running::do_quality`] has something to do.
    pub(super) fn next_quality(&self, now: Instant) -> Option<Instant> {
        self.quality.as_ref()?.next(now)
    }

    /// Waits until a speed test has news; for ever if none runs.
    pub(super) async fn quality_news(&self) {
        match &self.quality {
            Some(quality) if quality.trials.any() => quality.trials.news().await,
            _ => std::future::pending().await,
        }
    }

    /// `measure`: somebody else's measurement, which counts at once.
    pub(super) fn measure(&mut self, measure: Measure) -> Result<(), Refused> {
        let now = clock::now();
        let interface = &measure.peer.interface;
        if self.links.named(interface).is_none() {
            return Err(Refused::No(format!(
                "Babel does not run on {interface}: 'interface {interface}' first"
            )));
        }
        let report = Report {
            peer: measure.peer,
            scope: measure.prefix,
            source: Source::Outside,
            quality: measure.quality,
            valid: measure.valid,
            pinned: None,
        };
        if self.quality.is_none() {
            let begun = Quality::begin(now, &self.settings.quality);
            self.quality = Some(Box::new(begun));
        }
        if let Some(quality) = &mut self.quality {
            quality.asked = true;
            quality.ranker.record(now, &report);
            quality.changed(now);
        }
        self.reprice();
        self.publish_ranks(now);
        Ok(())
    }

    /// `flush measurements`: of one neighbour, or all.
    pub(super) fn flush_measurements(&mut self, peer: Option<&Peer>) {
        let now = clock::now();
        let Some(quality) = &mut self.quality else {
            return;
        };
        quality.ranker.forget(peer);
        quality.asked &= peer.is_some();
        quality.changed(now);
        self.publish_ranks(now);
        self.reprice();
    }

    /// What is known of the neighbours' quality.
    pub(super) fn standings(&self, now: Instant) -> Vec<Standing> {
        let quality = self.quality.as_ref();
        quality.map_or_else(Vec::new, |quality| quality.ranker.standings(now))
    }

    /// The speed tests that run, and the last that ended.
    pub(super) fn trials(&self, now: Instant) -> Vec<TestView> {
        let quality = self.quality.as_ref();
        quality.map_or_else(Vec::new, |quality| quality.trials.views(now))
    }

    /// What speed tests did.
    pub(super) fn trial_counters(&self) -> TestCounters {
        let quality = self.quality.as_ref();
        quality.map_or_else(TestCounters::default, |quality| quality.counters())
    }

    /// Ends ranking: what was measured is written, and nothing of ours stays in the kernel.
    pub(super) fn end_quality(&mut self, now: Instant) {
        self.stop_trials(now, "the daemon ends");
        if let Some(mut quality) = self.quality.take() {
            self.drop_addresses(now, &mut quality);
            quality.save(now, true);
        }
    }

    /// Other marks, tables or priorities are configured: what uses the old ones ends.
    fn repin(&mut self, now: Instant) {
        self.stop_trials(now, "the marks, tables or priority of tests were changed");
        if let Some(quality) = &mut self.quality {
            quality.pins = Pins::new(pin_settings(&self.settings.quality));
        }
    }

    /// Gives the policy the ranks of now, if they are other than those it has.
    fn publish_ranks(&mut self, now: Instant) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        let links = &self.links;
        let ranks = quality.ranker.ranks(now, &|name| links.named(name));
        quality.publish = quality.ranker.next_change();
        if ranks == quality.published {
            return;
        }
        let changed = ranks.changed_peers(&quality.published);
        quality.published = ranks.clone();
        let neighbours = self.engine.neighbours(now);
        let concerned = neighbours
            .filter(|known| changed.contains(&(known.link, known.address)))
            .map(|known| known.id);
        let concerned: Vec<_> = concerned.collect();
        self.engine
            .update_policy_of(now, &concerned, |policy| policy.set_ranks(ranks));
    }
}

/// Whether, and by what, the policy is to rank.
pub(super) fn instruct(
    policy: &mut qos_ranker::QosPolicy,
    settings: &Settings,
    quality: Option<&Quality>,
) {
    policy.set_prefer(settings.prefer);
    let Some(quality) = quality else {
        return;
    };
    policy.set_ranking(true);
    policy.set_goals(goals(&settings.quality));
    policy.set_unproven_penalty(babel_core::types::Metric(settings.quality.unproven_penalty));
    policy.set_ranks(quality.published().clone());
}
