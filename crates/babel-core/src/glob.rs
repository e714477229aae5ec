//! Names with wildcards, as operators write them for classes of interfaces: `wg*`, `eth?`.

/// Whether a name has wildcards.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Whether `pattern` describes `name`: `*` stands for any characters, `?` for one, everything
/// else for itself. The time is at most that of length times length.
pub fn matches(pattern: &str, name: &str) -> bool {
    if !is_pattern(pattern) {
        return pattern == name;
    }
    let (mut wanted, mut found) = (pattern.chars(), name.chars());
    // Where to go on if this does not work out: after the last `*`, one character later.
    let mut retry: Option<(core::str::Chars<'_>, core::str::Chars<'_>)> = None;
    loop {
        let before = found.clone();
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                found = before.clone();
                retry = Some((wanted.clone(), before));
            }
            (Some('?'), Some(_)) => {}
            (Some(w), Some(f)) if w == f => {}
            _ => {
                let Some((after_star, from)) = &mut retry else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                (wanted, found) = (after_star.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_characters_and_all_else_for_itself() {
        for (pattern, name, is) in [
            ("wg*", "wg0", true),
            ("wg*", "wg", true),
            ("wg*", "xwg0", false),
            ("*", "anything", true),
            ("*", "", true),
            ("eth?", "eth0", true),
            ("eth?", "eth", false),
            ("eth?", "eth10", false),
            ("*.7", "eth0.7", true),
            ("*.7", "eth0.70", false),
            ("*-mesh-*0", "radio-mesh-10", true),
            ("*-mesh-*0", "radio-mesh-1", false),
            ("a*b*c", "aXbXbc", true),
            ("a**c", "abc", true),
            ("wg0", "wg0", true),
            ("wg0", "wg1", false),
            ("", "", true),
            ("*?", "", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern = "*a".repeat(100);
        assert!(!matches(&pattern, &"a".repeat(99)));
        assert!(matches(&pattern, &"a".repeat(100)));
    }
}
