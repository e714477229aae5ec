//! What the operator wants: `qos-goal` by prefix (the longest covering prefix wins), and `prefer`.

use crate::by_prefix::{ByPrefix, Scoped};
use crate::measurement::Quality;
use babel_core::prefix::Prefix;
use core::fmt;
use core::str::FromStr;

/// Which of two neighbours that both meet the goals is better: the one of better quality, or the
/// cheaper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Prefer {
    /// Rank before price.
    #[default]
    Quality,
    /// Price before rank.
    Price,
}

/// The text was not a preference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("prefer takes quality or price")]
pub struct InvalidPrefer;

impl FromStr for Prefer {
    type Err = InvalidPrefer;

    fn from_str(text: &str) -> Result<Self, InvalidPrefer> {
        match text {
            "quality" => Ok(Self::Quality),
            "price" => Ok(Self::Price),
            _ => Err(InvalidPrefer),
        }
    }
}

impl fmt::Display for Prefer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quality => "quality",
            Self::Price => "price",
        })
    }
}

/// One `qos-goal` statement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Goal {
    /// For destinations inside this; `None` for all, of both families.
    pub prefix: Option<Prefix>,
    /// At least these rates, at most this latency and loss. Empty: no goal there.
    pub quality: Quality,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("qos-goal")?;
        if let Some(prefix) = self.prefix {
            write!(f, " ip {prefix}")?;
        }
        if self.quality.is_empty() {
            return Ok(());
        }
        write!(f, " {}", self.quality)
    }
}

/// All `qos-goal` statements, at most one for each prefix.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Goals {
    statements: ByPrefix<Goal>,
}

impl Scoped for Goal {
    fn prefix(&self) -> Option<Prefix> {
        self.prefix
    }
}

impl Goals {
    /// Sets the goal for destinations inside `prefix` (`None`: for all); it replaces an earlier
    /// one for the same prefix.
    pub fn set(&mut self, prefix: Option<Prefix>, quality: Quality) {
        self.statements.set(Goal { prefix, quality });
    }

    /// The goal that counts for a destination; `None` if there is none.
    pub fn for_destination(&self, destination: &Prefix) -> Option<&Goal> {
        self.at(self.place(destination)?)
    }

    /// Where the goal for a destination stands.
    pub(crate) fn place(&self, destination: &Prefix) -> Option<usize> {
        let place = self.statements.place(destination)?;
        self.at(place)
            .filter(|goal| !goal.quality.is_empty())
            .map(|_| place)
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Goal> {
        self.statements.at(place)
    }

    /// The goal for all destinations that no other is for; `None` if there is none.
    pub fn global(&self) -> Option<&Goal> {
        let last = self.statements.iter().last()?;
        (last.prefix.is_none() && !last.quality.is_empty()).then_some(last)
    }

    /// Whether there is no statement at all.
    pub fn is_empty(&self) -> bool {
        self.statements.iter().len() == 0
    }

    /// All statements, longest prefix first.
    pub fn iter(&self) -> impl Iterator<Item = &Goal> {
        self.statements.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Rate;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    fn download(text: &str) -> Quality {
        Quality {
            download: Some(text.parse().expect("a rate")),
            ..Quality::NONE
        }
    }

    fn wanted(goals: &Goals, destination: &str) -> Option<u64> {
        let goal = goals.for_destination(&prefix(destination))?;
        goal.quality.download.map(Rate::bps)
    }

    #[test]
    fn the_longest_covering_prefix_wins_in_whatever_order_they_were_set() {
        let mut all = [
            (None, download("5")),
            (Some(prefix("10.0.0.0/8")), download("1")),
            (Some(prefix("10.1.0.0/16")), Quality::NONE),
            (Some(prefix("::/0")), download("7")),
        ];
        for _ in 0..all.len() {
            all.rotate_left(1);
            let mut goals = Goals::default();
            all.iter()
                .for_each(|&(prefix, quality)| goals.set(prefix, quality));
            assert_eq!(wanted(&goals, "192.0.2.0/24"), Some(5));
            assert_eq!(wanted(&goals, "10.2.0.0/16"), Some(1));
            assert_eq!(wanted(&goals, "10.1.2.0/24"), None);
            assert_eq!(wanted(&goals, "2001:db8::/32"), Some(7));
            assert_eq!(goals.global().map(|goal| goal.quality), Some(download("5")));
        }
    }

    #[test]
    fn a_goal_without_components_takes_the_earlier_one_away() {
        let mut goals = Goals::default();
        goals.set(None, download("5"));
        goals.set(None, Quality::NONE);
        assert_eq!(wanted(&goals, "192.0.2.0/24"), None);
        assert_eq!(goals.global(), None);
        assert_eq!(goals.iter().count(), 1);
    }

    #[test]
    fn goals_and_preferences_are_written_as_in_the_configuration() {
        let mut goals = Goals::default();
        goals.set(Some(prefix("10.0.0.0/8")), download("20M"));
        goals.set(None, Quality::NONE);
        let told: Vec<String> = goals.iter().map(Goal::to_string).collect();
        assert_eq!(told, ["qos-goal ip 10.0.0.0/8 download 20M", "qos-goal"]);
        assert_eq!("price".parse(), Ok(Prefer::Price));
        assert_eq!(Prefer::default().to_string(), "quality");
        assert_eq!("cheap".parse::<Prefer>(), Err(InvalidPrefer));
    }
}
