//! What a wire does to packets.

use core::time::Duration;

/// How packets are lost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Loss {
    /// None are.
    None,
    /// Each with this probability, whatever happened before.
    Bernoulli(f64),
    /// In bursts: a good state that loses nothing, and a bad one.
    GilbertElliott {
        /// Probability, per packet, of turning bad.
        to_bad: f64,
        /// Probability, per packet, of turning good again.
        to_good: f64,
        /// Probability of loss while bad.
        loss: f64,
    },
}

/// Delay and loss of one direction of a wire.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Medium {
    /// Least delay.
    pub delay: Duration,
    /// Up to this is added, evenly spread; packets may overtake each other.
    pub jitter: Duration,
    /// What does not arrive.
    pub loss: Loss,
}

impl Medium {
    /// A millisecond, give or take a tenth, and nothing lost.
    pub const WIRE: Self = Self {
        delay: Duration::from_millis(1),
        jitter: Duration::from_micros(100),
        loss: Loss::None,
    };

    /// A wire that loses packets, and whose packets overtake each other.
    pub const fn lossy(loss: Loss) -> Self {
        Self {
            delay: Duration::from_millis(2),
            jitter: Duration::from_millis(8),
            loss,
        }
    }
}

/// One direction of a wire, with its memory.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Channel {
    bad: bool,
}

impl Channel {
    /// How long a packet takes; `None` if it is lost.
    pub(super) fn transit(&mut self, medium: &Medium, rng: &mut fastrand::Rng) -> Option<Duration> {
        let lost = match medium.loss {
            Loss::None => false,
            Loss::Bernoulli(loss) => rng.f64() < loss,
            Loss::GilbertElliott {
                to_bad,
                to_good,
                loss,
            } => {
                let turn = if self.bad { to_good } else { to_bad };
                self.bad ^= rng.f64() < turn;
                self.bad && rng.f64() < loss
            }
        };
        let jitter = u64::try_from(medium.jitter.as_micros()).unwrap_or(u64::MAX);
        let extra = Duration::from_micros(rng.u64(0..=jitter));
        (!lost).then_some(medium.delay + extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost_of_ten_thousand(loss: Loss) -> usize {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut channel = Channel::default();
        let medium = Medium::lossy(loss);
        (0..10_000)
            .filter(|_| channel.transit(&medium, &mut rng).is_none())
            .count()
    }

    #[test]
    fn a_medium_loses_about_what_it_should() {
        assert_eq!(lost_of_ten_thousand(Loss::None), 0);
        let even = lost_of_ten_thousand(Loss::Bernoulli(0.2));
        assert!((1800..2200).contains(&even), "{even}");
        // Bad for a quarter of the time, and then half is lost.
        let bursts = lost_of_ten_thousand(Loss::GilbertElliott {
            to_bad: 0.05,
            to_good: 0.15,
            loss: 0.5,
        });
        assert!((1000..1500).contains(&bursts), "{bursts}");
    }

    #[test]
    fn delay_stays_between_its_bounds() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut channel = Channel::default();
        for _ in 0..1000 {
            let delay = channel
                .transit(&Medium::WIRE, &mut rng)
                .expect("nothing is lost");
            assert!(delay >= Medium::WIRE.delay);
            assert!(delay <= Medium::WIRE.delay + Medium::WIRE.jitter);
        }
    }
}
