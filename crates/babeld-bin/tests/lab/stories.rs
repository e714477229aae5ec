//! The stories, told for real: each step of one is checked by the story itself, and an error if it
//! did not happen; here is checked that it was told, and that its figures say what it claims.

use crate::user::User;
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// A story takes at most about 90 s on an idle machine; every step has a limit of its own.
const STORY_LIMIT: Duration = Duration::from_secs(240);

/// Tells a story, and checks that all of this was said and that nothing stays.
fn told_by(user: &User, lab: &str, expected: &[&str]) -> Result<String> {
    let story = user.run(&["run", lab], STORY_LIMIT)?;
    for &words in expected.iter().chain(&["namespaces and files are gone"]) {
        ensure!(story.contains(words), "{words:?} is missing from:\n{story}");
    }
    ensure!(!story.contains('\x1b'), "control sequences in a file");
    ensure!(user.labs().is_empty(), "{:?} stayed", user.labs());
    user.nothing_remains()?;
    Ok(story)
}

/// The first rate of a line under "Measured", in Mbit/s.
fn figure(story: &str, what: &str) -> Result<f64> {
    let (_, measured) = story
        .split_once("\nMeasured\n")
        .context("nothing measured")?;
    let line = measured
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(what));
    let line = line.with_context(|| format!("no {what:?} in {measured}"))?;
    let number = line.split_whitespace().next().context("no figure")?;
    number.parse().with_context(|| format!("{what}: {number}"))
}

const DIAMOND: &[&str] = &[
    "traffic really goes via bob",
    "alice knows the new price",
    "traffic moved to carol",
    "pings come back via bob",
];

#[test]
fn the_diamond_tells_its_story_as_root() -> Result<()> {
    told_by(&User::root()?, "diamond", DIAMOND).map(drop)
}

#[test]
fn the_diamond_tells_its_story_as_an_ordinary_user() -> Result<()> {
    told_by(&User::nobody()?, "diamond", DIAMOND).map(drop)
}

/// Once is enough, and without rights is the harder way: links are shaped and tests are pinned in
/// a user namespace.
#[test]
fn the_liar_loses_its_traffic_as_an_ordinary_user() -> Result<()> {
    let expected = [
        "Why bob believes mallory",
        "pinned: both",
        "traffic moved to carol",
        "Why bob uses carol now",
        // Installed by run-tests.
        "stays with mallory",
    ];
    let story = told_by(&User::nobody()?, "liar", &expected)?;
    let before = figure(&story, "through mallory, as advertised the best way")?;
    let after = figure(&story, "through carol, as measured the best way")?;
    ensure!((0.7..1.3).contains(&before), "{before} over 1 Mbit/s");
    ensure!((5.0..25.0).contains(&after), "{after} over 20 Mbit/s");
    let stock = figure(&story, "babeld-1.12.1 in bob's place")?;
    ensure!((0.7..1.3).contains(&stock), "{stock} over 1 Mbit/s");
    Ok(())
}

#[test]
fn the_specialist_gets_its_prefix_and_nothing_else() -> Result<()> {
    let expected = [
        "the library's traffic moved to dave",
        "all other traffic stays with carol",
    ];
    let story = told_by(&User::root()?, "specialist", &expected)?;
    let rate = |what: &str| figure(&story, what);
    let before = rate("one rank for everything: library")?;
    let after = rate("a rank of its own for the library: library")?;
    ensure!(before < 4.0 && after > 5.0, "{before}, then {after}");
    ensure!(rate("a rank of its own for the library: internet")? > 5.0);
    Ok(())
}

#[test]
fn the_market_serves_quality_first_or_price_first() -> Result<()> {
    let expected = [
        "get nothing as long as they are not measured",
        "cleo is best, and dearest, and keeps the traffic",
        "traffic moved to ben",
        "traffic moved to cleo",
    ];
    let story = told_by(&User::root()?, "market", &expected)?;
    let rate = |when: &str| figure(&story, &format!("bob's download, {when}"));
    ensure!(rate("prefer quality")? > 6.0);
    ensure!((4.0..11.0).contains(&rate("prefer price")?));
    ensure!(rate("ben too dear")? > 6.0);
    Ok(())
}
