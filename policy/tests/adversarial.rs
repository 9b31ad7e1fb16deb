//! Patterns made to be slow: each is refused with a clear text, or what it costs is bounded.
//!
//! Times are measured and printed, not asserted: a busy machine is no defect. `make laws` prints them for 10,000 patterns
//! and optimised code.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a random test prints its seed and what it measured")]

use std::time::{Duration, Instant};

use spike_policy::pattern::dialect::{Program, SyntaxFault};
use spike_policy::pattern::{IdPattern, PathPattern, PatternFault};

mod random;
use random::Random;

/// What a compiled pattern may hold, in bytes. The caches of the general engine are not counted there: at most 256 KiB
/// for each thread, so that all stays below the 4 MB that are promised.
const MEMORY: usize = 1 << 20;
/// The longest path of a request.
const LONGEST: usize = 8 * 1024;

/// The patterns on which other engines took 38 ms to 385 ms, or more memory than they should.
const KNOWN: [&str; 36] = [
    "(a|aa|aaa|aaaa|aaaaa){1000}x",
    "(a|aa|aaa|aaaa|aaaaa){100}x",
    "(a|aa|aaa|aaaa|aaaaa){20}x",
    r"\w{1000}",
    r"(\w{100}){10}",
    r"(?:[\w.-]{1,63}/){1,10}",
    "(a{100}){11}",
    "(a*){1001}",
    "(a*)*b",
    "(a+)+b",
    "(a|a)*b",
    "(a|aa)+b",
    "(.*a){25}b",
    "(a?){50}a{50}",
    "(x+x+)+y",
    "[ab]*a[ab]{20}c",
    ".*a.{30}!",
    ".*.*.*.*.*.*.*.*!",
    r"(\b|a){9}z",
    r"(?:\b\w+\b\W*){5}!",
    r"\b.*\b.*\b.*\b!",
    "(?m)(^|$|a)*!",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}",
    r"^(.*?,){11}P",
    "((a{1,10}){1,10}){1,10}!",
    "(?:a{0,1000}){0,1}b",
    "(?:(?:(?:(?:(?:a*)*)*)*)*)*b",
    "(|a|b|ab)*c",
    "(?i)(k|s|ks|sk){30}!",
    "[^a]*[^b]*[^c]*[^d]*[^e]*!",
    "(?s).{500}!",
    ".{1,200}!",
    "(.|..|...|....)*!",
    "a{1000}a{1000}",
    "(?:x?){500}!",
];

/// What was tried, and the worst of it.
#[derive(Default)]
struct Tally {
    patterns: usize,
    refused: usize,
    decisions: usize,
    matched: usize,
    memory: (usize, String),
    reading: (Duration, String),
    first: (Duration, String),
    decision: (Duration, String),
    over: usize,
    first_over: usize,
}

impl Tally {
    fn try_path(&mut self, text: &str, subjects: &[String]) {
        self.patterns += 1;
        let (took, read) = timed(|| text.parse::<PathPattern>());
        if let Err(error) = read {
            return self.refused_clearly(error.fault(), &error.to_string(), text);
        }
        // The same expression again, as the part that tells its size.
        let (again, program) = timed(|| Program::parse(text).unwrap());
        worst(&mut self.reading, took.min(again), text);
        self.ask_first(text, || {
            let fresh = Program::parse(text).unwrap();
            timed(|| fresh.is_match(&subjects[0])).0
        });
        self.ask(text, subjects, |subject| program.is_match(subject));
        program.full_match("a");
        assert!(program.memory() <= MEMORY, "{text} holds {} bytes", program.memory());
        if program.memory() > self.memory.0 {
            self.memory = (program.memory(), text.to_owned());
        }
    }

    fn try_id(&mut self, text: &str, subjects: &[String]) {
        self.patterns += 1;
        let (took, read) = timed(|| text.parse::<IdPattern>());
        let pattern = match read {
            Ok(pattern) => pattern,
            Err(error) => return self.refused_clearly(error.fault(), &error.to_string(), text),
        };
        worst(&mut self.reading, took, text);
        self.ask_first(text, || {
            let fresh: IdPattern = text.parse().unwrap();
            timed(|| fresh.is_match(&subjects[0])).0
        });
        self.ask(text, subjects, |subject| pattern.is_match(subject));
    }

    fn refused_clearly(&mut self, fault: PatternFault, error: &str, text: &str) {
        self.refused += 1;
        let reason = match fault {
            PatternFault::TooLarge => "expression too large when compiled",
            PatternFault::Syntax => "repe",
            PatternFault::Glob => "Use regex syntax",
            PatternFault::TooLong => "are allowed",
            PatternFault::Empty
            | PatternFault::NotPrintableAscii
            | PatternFault::NotSpiffe
            | PatternFault::LeadingSlash => "the generator makes none of these",
        };
        assert!(
            error.contains(reason) && error.len() < 700,
            "{text} is refused with: {error}"
        );
    }

    /// The first decision compiles what was not compiled before.
    fn ask_first(&mut self, text: &str, first: impl Fn() -> Duration) {
        let took = quickest(first);
        self.first_over += usize::from(took > Duration::from_millis(1));
        worst(&mut self.first, took, text);
    }

    fn ask(&mut self, text: &str, subjects: &[String], is_match: impl Fn(&str) -> bool) {
        self.matched += subjects.iter().filter(|subject| is_match(subject)).count();
        for subject in subjects {
            let took = quickest(|| timed(|| is_match(subject)).0);
            worst(&mut self.decision, took, text);
            self.decisions += 1;
            self.over += usize::from(took > Duration::from_millis(1));
        }
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: {} patterns, {} refused; {} decisions, {} matched, {} took over 1 ms ({} first ones)",
            self.patterns, self.refused, self.decisions, self.matched, self.over, self.first_over
        );
        println!(
            "  worst decision       {:>12?}  {}",
            self.decision.0,
            start(&self.decision.1)
        );
        println!("  worst first decision {:>12?}  {}", self.first.0, start(&self.first.1));
        println!(
            "  worst reading        {:>12?}  {}",
            self.reading.0,
            start(&self.reading.1)
        );
        if self.memory.0 > 0 {
            println!("  most memory {:>19} B  {}", self.memory.0, start(&self.memory.1));
        }
    }
}

/// A decision that takes longer is made again, so that a busy machine is not taken for a slow pattern: the quickest of
/// five counts.
const SLOW: Duration = Duration::from_micros(200);

fn quickest(act: impl Fn() -> Duration) -> Duration {
    let took = act();
    let again = if took > SLOW { 4 } else { 0 };
    (0..again).map(|_| act()).fold(took, Duration::min)
}

fn timed<T>(act: impl Fn() -> T) -> (Duration, T) {
    let started = Instant::now();
    let value = act();
    (started.elapsed(), value)
}

fn worst(slot: &mut (Duration, String), took: Duration, text: &str) {
    if took > slot.0 {
        *slot = (took, text.to_owned());
    }
}

fn start(text: &str) -> &str {
    text.get(..90).unwrap_or(text)
}

/// Subjects on which matchers go far before they fail, up to the longest path.
fn subjects(random: &mut Random, most: usize) -> Vec<String> {
    let mut subjects: Vec<String> = ["a", "ab", "aab", "x", "k", "a.", "abcdef/", "aaaaaaaaab"]
        .into_iter()
        .map(|piece| piece.repeat(most / piece.len()))
        .collect();
    for alphabet in ["ab", "abc/", "ax", "0aA-_./", "ksKS"] {
        let letters = alphabet.as_bytes();
        let text = (0..most).map(|_| char::from(letters[random.below(letters.len())]));
        subjects.push(text.collect());
    }
    subjects
}

/// An expression of the kinds that are slow somewhere: nested repetitions, large counts, alternatives that overlap.
fn expression(random: &mut Random, depth: usize) -> String {
    let leaf = [
        "a",
        "b",
        "ab",
        ".",
        "[ab]",
        "[^/]",
        "[a-f]",
        "[b-g]",
        r"\w",
        r"\d",
        r"[\w.-]",
        r"\S",
        "aa",
        "x",
        r"\b",
        "^",
        "$",
        "(?i:k)",
        "[a-z0-9-]",
        "/",
    ];
    if depth == 0 {
        return random.pick(&leaf).to_owned();
    }
    let below = |random: &mut Random| expression(random, depth - 1);
    match random.below(9) {
        0 => random.pick(&leaf).to_owned(),
        1 | 2 => {
            let body = below(random);
            let times = random.pick(&["*", "+", "?", "*?", "+?"]);
            format!("(?:{body}){times}")
        }
        3 => {
            let (body, least, more) = (below(random), random.below(40), random.below(60));
            format!("({body}){{{least},{}}}", least + more)
        }
        4 => format!(
            "({}){{{}}}",
            below(random),
            [2, 5, 10, 30, 100, 333, 1000][random.below(7)]
        ),
        5 => format!("({}|{}|{})", below(random), below(random), below(random)),
        6 => format!("({}|{})*", below(random), below(random)),
        7 => format!("{}{}{}", below(random), below(random), below(random)),
        _ => format!(".*{}.{{{}}}", below(random), random.below(60)),
    }
}

fn generated(random: &mut Random) -> String {
    let depth = 1 + random.below(4);
    let body = expression(random, depth);
    let end = random.pick(&["", "!", "$", "z", "!$"]);
    let begin = random.pick(&["", "", "^", "(?i)", "x?"]);
    format!("{begin}{body}{end}")
}

#[test]
fn the_known_slow_patterns_are_refused_or_bounded() {
    let mut random = Random::new(random::seed());
    let subjects = subjects(&mut random, LONGEST);
    let mut tally = Tally::default();
    for text in KNOWN {
        tally.try_path(text, &subjects);
    }
    tally.print("known patterns");
    assert_eq!(tally.patterns, KNOWN.len());
    assert!(
        tally.refused >= 5 && tally.refused < KNOWN.len() / 2,
        "{} refused",
        tally.refused
    );
}

#[test]
fn what_would_be_slow_is_refused_by_name() {
    for (text, fault) in [
        ("(a|aa|aaa|aaaa|aaaaa){1000}x", SyntaxFault::TooLarge),
        ("(a{100}){11}", SyntaxFault::RepeatCount),
        ("(a*){1001}", SyntaxFault::RepeatCount),
        ("a**", SyntaxFault::StackedRepeat),
    ] {
        assert_eq!(Program::parse(text).unwrap_err().fault(), fault, "{text}");
    }
}

#[test]
fn patterns_made_to_be_slow_are_refused_or_bounded() {
    let mut random = Random::new(random::seed() + 1);
    let wanted = if random::cases(1) > 1 { 10_000 } else { 400 };
    let subjects = subjects(&mut random, LONGEST);
    let mut tally = Tally::default();
    while tally.patterns < wanted {
        let text = generated(&mut random);
        if text.len() <= 500 && !text.starts_with(['/']) && !text.starts_with("^/") {
            tally.try_path(&text, &subjects);
        }
    }
    tally.print("path patterns, subjects of 8 KiB");
    assert!(
        tally.refused > wanted / 50 && tally.refused < wanted * 9 / 10,
        "{} refused",
        tally.refused
    );
}

#[test]
fn identity_patterns_made_to_be_slow_are_refused_or_bounded() {
    let mut random = Random::new(random::seed() + 2);
    let wanted = if random::cases(1) > 1 { 10_000 } else { 400 };
    let scheme = "spiffe://example.org/";
    let subjects: Vec<String> = subjects(&mut random, 2048 - scheme.len())
        .into_iter()
        .map(|text| format!("{scheme}{text}"))
        .collect();
    let mut tally = Tally::default();
    while tally.patterns < wanted {
        let anchor = if random.chance(50) { "^" } else { "" };
        let text = format!(
            "{anchor}spiffe://example.org/{}",
            generated(&mut random).trim_start_matches('^')
        );
        if text.len() <= 2048 {
            tally.try_id(&text, &subjects);
        }
    }
    tally.print("identity patterns, subjects of 2 KiB");
    assert!(
        tally.refused > wanted / 50 && tally.refused < wanted * 9 / 10,
        "{} refused",
        tally.refused
    );
}
