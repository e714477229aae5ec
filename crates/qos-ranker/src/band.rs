//! The coarsest step of the order: whether a neighbour was measured, and meets the goals.

use core::fmt;

/// A better band wins whatever rank, price and metric say. The first is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Band {
    /// Measured, and meets the goals; where there is no goal, measured is enough.
    #[default]
    Proven,
    /// Not measured, or not lately, or not in all that the goal asks for.
    Unproven,
    /// Measured below the goals, or a black hole: used only if there is nothing else.
    Failing,
}

impl Band {
    /// All, the best first.
    pub const ALL: [Self; 3] = [Self::Proven, Self::Unproven, Self::Failing];

    /// Position in [`Band::ALL`].
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// In one word: `proven`, `unproven`, `failing`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
