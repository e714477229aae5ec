use super::*;

fn read(line: &str) -> Result<Invocation, UsageError> {
    parse(line.split_whitespace().map(OsString::from))
}

#[test]
fn options_stand_before_or_after_the_command() {
    let routes = |socket, json| Ok(Invocation::Show(socket, Topic::Routes, json));
    assert_eq!(read("show routes"), routes(Socket::Usual, false));
    assert_eq!(
        read("-s 33123 show routes -j"),
        routes(Socket::Port(33123), true)
    );
    assert_eq!(
        read("show -s /run/b.sock -j routes"),
        routes(Socket::Path("/run/b.sock".into()), true)
    );
    // A number too large to be a port is a file's name.
    assert_eq!(
        read("show routes -s 99999"),
        routes(Socket::Path("99999".into()), false)
    );
}

#[test]
fn a_prefix_is_checked_and_made_canonical_before_it_is_sent() {
    let explain = |line: &str| Ok(Invocation::Explain(Socket::Usual, line.into(), false));
    assert_eq!(
        read("explain 10.1.2.3/8"),
        explain("json explain 10.0.0.0/8")
    );
    assert_eq!(
        read("explain ::/0 from fd00::1/8"),
        explain("json explain ::/0 from fd00::/8")
    );
    let address = "fe80::1".parse().ok();
    for (line, who) in [
        ("explain neighbour fe80::1", address),
        ("explain neighbor fe80::1%eth0", address),
        ("explain neighbour all", None),
    ] {
        let wanted = Invocation::Diagnose(Socket::Usual, who, false);
        assert_eq!(read(line), Ok(wanted), "{line}");
    }
    for bad in [
        "explain",
        "explain neighbour",
        "explain neighbour bob",
        "explain nonsense",
        "explain 10.0.0.0/8 from ::/0",
        "explain 10.0.0.0/8 via x",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_follows_lab_and_raw_is_passed_on_as_it_is() {
    assert_eq!(
        read("lab run diamond --no-prices -j"),
        Ok(Invocation::Lab(
            ["run", "diamond", "--no-prices", "-j"]
                .map(String::from)
                .into()
        ))
    );
    assert_eq!(
        read("-s 1 raw interface eth0 rxcost 9"),
        Ok(Invocation::Raw(
            Socket::Port(1),
            "interface eth0 rxcost 9".into()
        ))
    );
}

#[test]
fn a_wrong_command_line_names_its_fault() {
    for (line, fault) in [
        ("", "missing"),
        ("frob", "`frob`"),
        ("show", "neighbours"),
        ("show frobs", "`frobs`"),
        ("show routes now", "`now`"),
        ("--frob", "--frob"),
        ("check-config", "files"),
        ("-s", "-s"),
        ("speedtest", "run"),
        ("speedtest walk", "`walk`"),
        ("speedtest run", "--neighbour"),
    ] {
        let error = read(line).expect_err(line).to_string();
        assert!(error.contains(fault), "{line:?}: {error}");
    }
}
