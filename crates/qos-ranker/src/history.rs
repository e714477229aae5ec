//! All that one source has measured of one neighbour, for one scope.

use crate::measurement::{Component, Quality};
use crate::moment::{Lifetime, Moment};
use crate::report::{Pinned, Source};
use crate::ring::{Middle, Reading, Ring};
use babel_core::time::Instant;
use core::time::Duration;

/// Who measured, and whether it counts. Tests that did not surely go through the neighbour are
/// kept apart from the same target's others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) ranks: bool,
}

/// The readings of one origin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct History {
    rings: [Ring; 4],
    /// Of the newest.
    pub(crate) pinned: Option<Pinned>,
    /// Since when the neighbour is thought to drop this source's tests.
    pub(crate) doubted: Option<Lifetime>,
}

impl History {
    /// How long a doubt lasts if no test succeeds.
    pub(crate) const DOUBT: Duration = Duration::from_secs(6 * 3600);

    /// Adds a reading. An outside tool does its own statistics, so of it only the newest word on
    /// each component is kept; of tests, the last few.
    pub(crate) fn push(&mut self, source: &Source, component: Component, reading: Reading) {
        let length = match source {
            Source::Outside => 1,
            Source::Target(_) | Source::Link(_) => Ring::LENGTH,
        };
        self.ring_mut(component).push(reading, length);
    }

    /// Adds a measurement; it ends a doubt.
    pub(crate) fn record(&mut self, source: &Source, quality: &Quality, life: Lifetime) {
        for component in Component::ALL {
            if let Some(value) = quality.component(component) {
                self.push(source, component, Reading { value, life });
            }
        }
        self.doubted = None;
    }

    /// Drops the readings; until a test succeeds the neighbour is not proven.
    pub(crate) fn doubt(&mut self, now: Instant) {
        self.rings.iter_mut().for_each(Ring::clear);
        self.doubted = Some(Lifetime::new(Moment::now(now), Self::DOUBT));
    }

    pub(crate) fn sweep(&mut self, now: Instant) {
        self.rings.iter_mut().for_each(|ring| ring.sweep(now));
        self.doubted = self.doubted.filter(|doubt| doubt.is_fresh(now));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.doubted.is_none() && self.newest().is_none()
    }

    pub(crate) fn middle(&self, component: Component, now: Instant) -> Option<Middle> {
        self.ring(component).middle(component, now)
    }

    pub(crate) fn readings(&self) -> impl Iterator<Item = (Component, &Reading)> {
        let of = |component| {
            self.ring(component)
                .iter()
                .map(move |reading| (component, reading))
        };
        Component::ALL.into_iter().flat_map(of)
    }

    /// The last ones of each component.
    fn newest(&self) -> Option<&Reading> {
        self.rings.iter().find_map(Ring::newest)
    }

    /// Since the newest reading, or the doubt.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        let newest = self.rings.iter().filter_map(Ring::newest);
        let lives = newest.map(|reading| reading.life).chain(self.doubted);
        lives.map(|life| life.age(now)).min()
    }

    /// The longest that any of it will be believed.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        let readings = self
            .readings()
            .map(|(_, reading)| reading.life.remaining(now));
        readings.max().unwrap_or_default()
    }

    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let lives = self.readings().map(|(_, reading)| reading.life);
        let lives = lives.chain(self.doubted);
        lives.filter_map(|life| life.next_change(now)).min()
    }

    fn ring(&self, component: Component) -> &Ring {
        let [download, upload, latency, loss] = &self.rings;
        match component {
            Component::Download => download,
            Component::Upload => upload,
            Component::Latency => latency,
            Component::Loss => loss,
        }
    }

    fn ring_mut(&mut self, component: Component) -> &mut Ring {
        let [download, upload, latency, loss] = &mut self.rings;
        match component {
            Component::Download => download,
            Component::Upload => upload,
            Component::Latency => latency,
            Component::Loss => loss,
        }
    }
}
