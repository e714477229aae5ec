//! What a speed test measures, in units that the configuration writes: rates, loss, latency.
//!
//! A component that was not measured is absent, which is not the same as bad.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// Bits per second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rate(u64);

/// Lost packets, in parts per million of those sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Loss(u32);

/// The quality of the way through one neighbour, or what the operator wants of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Quality {
    /// Towards us.
    pub download: Option<Rate>,
    /// Away from us.
    pub upload: Option<Rate>,
    /// Of the round trip.
    pub latency: Option<Duration>,
    /// Of packets, either way.
    pub loss: Option<Loss>,
}

/// One of the four components of a quality.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Component {
    Download,
    Upload,
    Latency,
    Loss,
}

impl Component {
    pub(crate) const ALL: [Self; 4] = [Self::Download, Self::Upload, Self::Latency, Self::Loss];

    /// Whether more of it is better.
    pub(crate) const fn more_is_better(self) -> bool {
        matches!(self, Self::Download | Self::Upload)
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Latency => "latency",
            Self::Loss => "loss",
        }
    }
}

/// The text was not a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a rate is a number of bits per second, with K, M or G for thousands, as in 20M or 1.5G")]
pub struct InvalidRate;

/// The text was not a share of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("loss is a percentage from 0 to 100, as in 0.5")]
pub struct InvalidLoss;

impl Rate {
    /// Nothing at all.
    pub const ZERO: Self = Self(0);
    const UNITS: [(char, u64); 3] = [('G', 1_000_000_000), ('M', 1_000_000), ('K', 1000)];

    /// A rate in bits per second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// Bits per second.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// For people: three significant digits, as in `12.3M`. The text of [`fmt::Display`] is exact.
    pub fn rounded(self) -> impl fmt::Display {
        Rounded(self.0)
    }
}

/// See [`Rate::rounded`].
struct Rounded(u64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.checked_ilog10().unwrap_or(0);
        let grain = 10u64.pow(digits.saturating_sub(2));
        let bps = self.0.saturating_add(grain / 2) / grain * grain;
        let Some((letter, unit)) = Rate::UNITS.into_iter().find(|(_, unit)| bps >= *unit) else {
            return write!(f, "{bps}");
        };
        fixed_point(f, bps / (unit / 1000), 3)?;
        write!(f, "{letter}")
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    /// `20M`: a decimal number of at most nine places, and K, M or G (small letters too).
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let letter = text.chars().last().map(|last| last.to_ascii_uppercase());
        let unit = Self::UNITS
            .into_iter()
            .find(|(name, _)| letter == Some(*name));
        let (number, unit) = match unit {
            Some((_, unit)) => (text.get(..text.len() - 1).ok_or(InvalidRate)?, unit),
            None => (text, 1),
        };
        decimal(number, unit).map(Self).ok_or(InvalidRate)
    }
}

impl fmt::Display for Rate {
    /// Exact, and read back by [`Rate::from_str`]: `20M`, `1500K`, `12345678`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |unit: u64| self.0 >= unit && self.0.is_multiple_of(unit);
        match Self::UNITS.into_iter().find(|(_, unit)| whole(*unit)) {
            Some((letter, unit)) => write!(f, "{}{letter}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Loss {
    /// None lost.
    pub const ZERO: Self = Self(0);
    /// All lost.
    pub const ALL: Self = Self(1_000_000);

    /// A share in parts per million; more than all counts as all.
    pub const fn from_ppm(ppm: u32) -> Self {
        if ppm > Self::ALL.0 {
            Self::ALL
        } else {
            Self(ppm)
        }
    }

    /// Parts per million, at most a million.
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

impl FromStr for Loss {
    type Err = InvalidLoss;

    /// Percent: `0.5`, with at most nine places.
    fn from_str(text: &str) -> Result<Self, InvalidLoss> {
        let ppm = decimal(text, 10_000).and_then(|ppm| u32::try_from(ppm).ok());
        let ppm = ppm.filter(|&ppm| ppm <= Self::ALL.0);
        ppm.map(Self).ok_or(InvalidLoss)
    }
}

impl fmt::Display for Loss {
    /// Percent, exact: `0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed_point(f, self.0.into(), 4)
    }
}

impl Quality {
    /// Nothing measured, or nothing wanted.
    pub const NONE: Self = Self {
        download: None,
        upload: None,
        latency: None,
        loss: None,
    };

    /// Whether no component is there.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// For people: as [`fmt::Display`], with rates of three significant digits.
    pub fn rounded(self) -> impl fmt::Display {
        RoundedQuality(self)
    }

    fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        write_rate: impl Fn(Rate, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let mut gap = "";
        for (name, rate) in [("download", self.download), ("upload", self.upload)] {
            if let Some(rate) = rate {
                write!(f, "{gap}{name} ")?;
                write_rate(rate, f)?;
                gap = " ";
            }
        }
        if let Some(latency) = self.latency {
            write!(f, "{gap}latency ")?;
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            fixed_point(f, micros, 3)?;
            gap = " ";
        }
        match self.loss {
            Some(loss) => write!(f, "{gap}loss {loss}"),
            None => Ok(()),
        }
    }

    /// One component in its own small unit: bits per second, microseconds, parts per million.
    pub(crate) fn component(&self, component: Component) -> Option<u64> {
        match component {
            Component::Download => self.download.map(Rate::bps),
            Component::Upload => self.upload.map(Rate::bps),
            Component::Latency => self
                .latency
                .map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)),
            Component::Loss => self.loss.map(|loss| loss.ppm().into()),
        }
    }

    /// The inverse of [`Quality::component`].
    pub(crate) fn set_component(&mut self, component: Component, value: Option<u64>) {
        match component {
            Component::Download => self.download = value.map(Rate),
            Component::Upload => self.upload = value.map(Rate),
            Component::Latency => self.latency = value.map(Duration::from_micros),
            Component::Loss => {
                let ppm = |value| u32::try_from(value).unwrap_or(u32::MAX);
                self.loss = value.map(|value| Loss::from_ppm(ppm(value)));
            }
        }
    }
}

impl fmt::Display for Quality {
    /// As in the configuration: `download 20M upload 5M latency 12.5 loss 0.5`; empty if nothing
    /// is there. Latency is in milliseconds, of which the third place is the last shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, |rate, f| fmt::Display::fmt(&rate, f))
    }
}

/// See [`Quality::rounded`].
struct RoundedQuality(Quality);

impl fmt::Display for RoundedQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .write(f, |rate, f| fmt::Display::fmt(&rate.rounded(), f))
    }
}

/// `number` times `unit`, where `number` is decimal without a sign. Places past the ninth, and
/// what is left below one, are cut off. `None` if it is no number or too large.
fn decimal(number: &str, unit: u64) -> Option<u64> {
    const PLACES: u32 = 9;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let places = fraction.bytes().chain(core::iter::repeat(b'0'));
    let billionths = places
        .take(PLACES as usize)
        .fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let part = u128::from(billionths) * u128::from(unit) / u128::from(10u64.pow(PLACES));
    whole
        .checked_mul(unit)?
        .checked_add(u64::try_from(part).ok()?)
}

/// Writes `value` / 10^`places` without needless zeros.
fn fixed_point(f: &mut fmt::Formatter<'_>, value: u64, places: u32) -> fmt::Result {
    let one = 10u64.pow(places);
    write!(f, "{}", value / one)?;
    let (mut rest, mut width) = (value % one, places as usize);
    if rest == 0 {
        return Ok(());
    }
    while rest % 10 == 0 {
        rest /= 10;
        width -= 1;
    }
    write!(f, ".{rest:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_with_decimal_letters() {
        let bps = |text: &str| text.parse::<Rate>().map(Rate::bps);
        assert_eq!(bps("20M"), Ok(20_000_000));
        assert_eq!(bps("1.5G"), Ok(1_500_000_000));
        assert_eq!(bps("64k"), Ok(64_000));
        assert_eq!(bps("9600"), Ok(9600));
        assert_eq!(bps(".5K"), Ok(500));
        assert_eq!(bps("0"), Ok(0));
        for junk in [
            "", "M", ".", "20MM", "-1", "+1", "1e3", "20 M", "1.2.3", "20Ä", "20T",
        ] {
            assert_eq!(bps(junk), Err(InvalidRate), "{junk}");
        }
        assert_eq!(bps("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(bps("18446744073709551616"), Err(InvalidRate));
        assert_eq!(bps("99999999999G"), Err(InvalidRate));
    }

    #[test]
    fn rates_are_written_exactly_and_rounded_for_people() {
        let exact = |bps| Rate::from_bps(bps).to_string();
        assert_eq!(exact(20_000_000), "20M");
        assert_eq!(exact(1_500_000), "1500K");
        assert_eq!(exact(12_345_678), "12345678");
        assert_eq!(exact(0), "0");
        let rounded = |bps| Rate::from_bps(bps).rounded().to_string();
        assert_eq!(rounded(12_345_678), "12.3M");
        assert_eq!(rounded(999_999), "1M");
        assert_eq!(rounded(1_050_000), "1.05M");
        assert_eq!(rounded(612), "612");
        assert_eq!(rounded(0), "0");
        assert_eq!(rounded(940_000_000), "940M");
    }

    #[test]
    fn loss_is_a_percentage() {
        let ppm = |text: &str| text.parse::<Loss>().map(Loss::ppm);
        assert_eq!(ppm("0.5"), Ok(5000));
        assert_eq!(ppm("100"), Ok(1_000_000));
        assert_eq!(ppm("0.0001"), Ok(1));
        for junk in ["", "100.1", "-1", "1%", "4294967296"] {
            assert_eq!(ppm(junk), Err(InvalidLoss), "{junk}");
        }
        assert_eq!(Loss::from_ppm(5000).to_string(), "0.5");
        assert_eq!(Loss::from_ppm(2_000_000), Loss::ALL);
    }

    #[test]
    fn a_quality_is_written_as_in_the_configuration() {
        let quality = Quality {
            download: Some(Rate::from_bps(20_000_000)),
            upload: None,
            latency: Some(Duration::from_micros(12_500)),
            loss: Some(Loss::from_ppm(5000)),
        };
        assert_eq!(quality.to_string(), "download 20M latency 12.5 loss 0.5");
        assert_eq!(Quality::NONE.to_string(), "");
        assert!(Quality::NONE.is_empty() && !quality.is_empty());
    }

    proptest! {
        #[test]
        fn every_rate_is_read_back_as_it_was_written(bps in any::<u64>(), zeros in 0..19u32) {
            let rate = Rate::from_bps(bps / 10u64.pow(zeros) * 10u64.pow(zeros));
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn every_loss_is_read_back_as_it_was_written(ppm in 0..=1_000_000u32) {
            let loss = Loss::from_ppm(ppm);
            prop_assert_eq!(loss.to_string().parse(), Ok(loss));
        }

        #[test]
        fn rounding_for_people_never_panics(bps in any::<u64>()) {
            let text = Rate::from_bps(bps).rounded().to_string();
            prop_assert!(text.parse::<Rate>().is_ok(), "{}", text);
        }

        #[test]
        fn no_text_is_too_strange_to_be_refused(text in ".{0,12}") {
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Loss>();
        }
    }
}
