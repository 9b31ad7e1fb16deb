#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn reads_time_spans_as_go_does() {
    let cases = [
        ("0", 0),
        ("0s", 0),
        ("1ns", 1),
        ("1us", 1_000),
        ("1µs", 1_000),
        ("250ms", 250_000_000),
        ("5s", 5_000_000_000),
        ("+5s", 5_000_000_000),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("1h0m1s", 3_601_000_000_000),
        ("1s1s", 2_000_000_000),
    ];
    for (text, nanos) in cases {
        assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
    }
    let refused = [
        "",
        "5",
        "s",
        "-5s",
        "5 s",
        "5S",
        "1..5s",
        ".s",
        "1e3s",
        "5sx",
        "+",
        "9999999999999h",
        "1d",
        " 5s",
    ];
    for text in refused {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn shows_time_spans_in_a_form_that_it_reads() {
    for (nanos, text) in [
        (0, "0s"),
        (1, "1ns"),
        (1_500_000_000, "1500ms"),
        (60_000_000_000, "1m"),
        (90_000_000_000, "90s"),
        (7_200_000_000_000, "2h"),
    ] {
        let span = Duration::from_nanos(nanos);
        assert_eq!(show_duration(span), text);
        assert_eq!(duration(text).unwrap(), span);
    }
}

#[test]
fn reads_sizes() {
    let cases = [
        ("0", 0),
        ("65536", 65_536),
        ("64KiB", 65_536),
        ("1.5 KiB", 1_536),
        ("1MiB", 1 << 20),
        ("2GiB", 2 << 30),
        ("10MB", 10_000_000),
        ("7B", 7),
    ];
    for (text, bytes) in cases {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "KiB", "-1", "1kib", "1TiB", "99999999999999999999", "1 2"] {
        assert!(size(text).is_err(), "{text}");
    }
}

#[test]
fn reads_addresses_and_sockets() {
    let tcp = |text: &str| Ok(Endpoint::Tcp(text.parse().unwrap()));
    let unix = |text: &str| Ok(Endpoint::Unix(PathBuf::from(text)));
    assert_eq!(endpoint("127.0.0.1:80"), tcp("127.0.0.1:80"));
    assert_eq!(endpoint("[::1]:0"), tcp("[::1]:0"));
    assert_eq!(endpoint(":8553"), tcp("[::]:8553"));
    assert_eq!(endpoint("unix:///run/a.sock"), unix("/run/a.sock"));
    assert_eq!(endpoint("unix:/run/a.sock"), unix("/run/a.sock"));
    assert_eq!(endpoint("unix://run/a.sock"), unix("run/a.sock"));
    for text in [
        "",
        ":",
        "localhost:80",
        "80",
        "unix:",
        "unix://",
        "127.0.0.1",
        ":65536",
        "tcp://127.0.0.1:1",
    ] {
        assert!(endpoint(text).is_err(), "{text}");
    }
    for text in ["127.0.0.1:80", "unix:///run/a.sock"] {
        assert_eq!(endpoint(text).unwrap().to_string(), text);
    }
}
