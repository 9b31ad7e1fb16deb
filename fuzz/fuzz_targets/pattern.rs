//! Patterns as a policy author could write them, hostile ones included.
//!
//! Input: two lines, a pattern and a subject.
#![no_main]
use libfuzzer_sys::fuzz_target;
use spike_policy::pattern::Shape;
use spike_policy::pattern::dialect::Program;
use spike_policy::{IdPattern, PathPattern, SpiffeId};

/// What a compiled expression may hold, in bytes.
const MEMORY: usize = 4 << 20;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, subject) = text.split_once('\n').unwrap_or((text, "spike/system/acl"));
    let (path, id) = (text.parse::<PathPattern>(), text.parse::<IdPattern>());
    let program = match Program::parse(text) {
        Ok(program) => program,
        Err(error) => {
            assert_eq!(error.to_string().lines().count(), 1);
            assert!(path.is_err() && id.is_err());
            return;
        }
    };
    let matched = program.is_match(subject);
    program_holds(&program, subject, matched);
    if let Ok(path) = path {
        assert_eq!(path.as_str().parse::<PathPattern>().as_ref(), Ok(&path));
        if printable(subject) {
            shape_holds(&path.literal_shape(), subject, matched);
        }
    }
    if let Ok(id) = id {
        assert_eq!(id.as_str().parse::<IdPattern>().as_ref(), Ok(&id));
        if subject.parse::<SpiffeId>().is_ok() {
            shape_holds(&id.literal_shape(), subject, matched);
        }
    }
});

fn printable(subject: &str) -> bool {
    subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

fn program_holds(program: &Program, subject: &str, matched: bool) {
    let text = program.as_str();
    assert!(subject.is_ascii() || !matched);
    assert!(
        matched || !program.full_match(subject),
        "matches the whole, but not a part"
    );
    assert!(
        !(matched && program.is_anchored()) || program.full_match(subject),
        "anchored, but not the whole"
    );
    assert!(program.memory() <= MEMORY, "{} bytes", program.memory());
    // The same question to another engine: a part that can never match changes which one is chosen. Short patterns stay
    // below the size from which a table is built at any price.
    for never in [r"\b\B", r"[ -~]*a[ -~]{11}\x00"] {
        if text.len() <= 40
            && printable(subject)
            && let Ok(other) = Program::parse(&format!("(?:{text})|{never}"))
        {
            assert_eq!(other.is_match(subject), matched, "with {never}");
        }
    }
    if let Ok(whole) = Program::parse(&format!("^(?:{text})$")) {
        assert_eq!(whole.is_match(subject), program.full_match(subject));
    }
    if is_common(text) && subject.is_ascii() {
        let regex = regex::bytes::RegexBuilder::new(text).unicode(false).build();
        assert_eq!(
            regex.is_ok_and(|regex| regex.is_match(subject.as_bytes())),
            matched,
            "the regex crate differs"
        );
    }
}

/// Whether Go and the `regex` crate read it alike: no classes, escapes, counts and flags.
fn is_common(text: &str) -> bool {
    text.is_ascii() && !text.contains(['[', '\\', '{']) && !text.contains("(?") && text.len() < 500
}

fn shape_holds(shape: &Shape, subject: &str, matched: bool) {
    match shape {
        Shape::Exact(texts) => assert_eq!(texts.iter().any(|text| text == subject), matched),
        Shape::Prefix { starts, decides } => {
            let begins = starts.iter().any(|start| subject.starts_with(start));
            assert!(begins || !matched);
            assert!(!(begins && *decides) || matched);
        }
        Shape::Any => assert!(matched),
        Shape::Other => {}
    }
}
