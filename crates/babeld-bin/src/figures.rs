//! Rates, volumes, shares and times as people read them.

use qos_ranker::Rate;

/// A rate: `48 Mbit/s`.
pub(crate) fn rate(bits_per_second: u64) -> String {
    let (digits, letter) = rounded(bits_per_second);
    format!("{digits} {letter}bit/s")
}

/// A volume: `12.3 MB`.
pub(crate) fn volume(octets: u64) -> String {
    let (digits, letter) = rounded(octets);
    format!("{digits} {letter}B")
}

/// Three digits, and a letter for thousands.
fn rounded(number: u64) -> (String, &'static str) {
    let text = Rate::from_bps(number).rounded().to_string();
    for (end, letter) in [('K', "k"), ('M', "M"), ('G', "G")] {
        if let Some(digits) = text.strip_suffix(end) {
            return (digits.into(), letter);
        }
    }
    (text, "")
}

/// A time: `12.3 ms`.
pub(crate) fn milliseconds(milliseconds: f64) -> String {
    if milliseconds < 100.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

/// A share: `0.5 %`.
pub(crate) fn percent(percent: f64) -> String {
    if percent == 0.0 || percent >= 10.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// Seconds, in as many digits as matter.
pub(crate) fn age(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 6000.0 {
        format!("{seconds:.0} s")
    } else if seconds < 360_000.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.0} h", seconds / 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(rate(48_123_456), "48.1 Mbit/s");
        assert_eq!(rate(64_000), "64 kbit/s");
        assert_eq!(rate(612), "612 bit/s");
        assert_eq!(rate(1_500_000_000), "1.5 Gbit/s");
        assert_eq!(volume(0), "0 B");
        assert_eq!(volume(64_000), "64 kB");
        assert_eq!(volume(2_000_000_000), "2 GB");
        assert_eq!(milliseconds(12.345), "12.3 ms");
        assert_eq!(milliseconds(1234.5), "1234 ms");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.25), "0.2 %");
        assert_eq!(percent(100.0), "100 %");
        assert_eq!(age(3.04), "3.0 s");
        assert_eq!(age(7000.0), "117 min");
    }
}
