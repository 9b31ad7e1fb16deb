//! Compares the dialect with Go's answers, line by line. Shared by the committed vectors (`go_vectors`) and the fresh
//! ones (`examples/compare_vectors`).
use std::io::BufRead;

use serde::Deserialize;
use spike_policy::PathPattern;
use spike_policy::pattern::Shape;
use spike_policy::pattern::dialect::{Program, SyntaxFault};

/// One expression with Go's answers (`tests/interop/govectors` writes them).
#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "p")]
    pattern: String,
    #[serde(rename = "ok")]
    accepted: bool,
    #[serde(rename = "s")]
    subjects: Vec<String>,
    #[serde(rename = "m")]
    matched: String,
    #[serde(rename = "f")]
    full: String,
}

/// What was compared, and every difference.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Expressions read.
    pub(crate) patterns: u64,
    /// Expressions that Go accepts.
    pub(crate) accepted: u64,
    /// (expression, subject) pairs compared; a refused expression counts as one.
    pub(crate) pairs: u64,
    /// Pairs that match.
    pub(crate) matched: u64,
    /// Pairs for which a literal shape said something.
    pub(crate) shaped: u64,
    /// Expressions that Go accepts and we refuse as too large.
    pub(crate) too_large: Vec<String>,
    /// Everything else on which the two disagree, described.
    pub(crate) differences: Vec<String>,
}

impl Tally {
    /// Compares every line.
    pub(crate) fn of(lines: impl BufRead) -> Result<Self, String> {
        let mut tally = Self::default();
        for (number, line) in lines.lines().enumerate() {
            let line = line.map_err(|error| format!("line {}: {error}", number + 1))?;
            let vector: Vector =
                serde_json::from_str(&line).map_err(|error| format!("line {}: {error}", number + 1))?;
            tally.compare(&vector);
        }
        Ok(tally)
    }

    fn compare(&mut self, vector: &Vector) {
        self.patterns += 1;
        self.accepted += u64::from(vector.accepted);
        let program = match (Program::parse(&vector.pattern), vector.accepted) {
            (Ok(program), true) => program,
            (Err(_), false) => {
                self.pairs += 1;
                return;
            }
            (Ok(_), false) => return self.differ(vector, "we accept what Go refuses"),
            (Err(error), true) if error.fault() == SyntaxFault::TooLarge => {
                return self.too_large.push(vector.pattern.clone());
            }
            (Err(error), true) => return self.differ(vector, &format!("we refuse what Go accepts: {error}")),
        };
        let shape = vector
            .pattern
            .parse::<PathPattern>()
            .map_or(Shape::Other, |pattern| pattern.literal_shape());
        for (at, subject) in vector.subjects.iter().enumerate() {
            let [matched, full] =
                [&vector.matched, &vector.full].map(|digits| digits.as_bytes().get(at) == Some(&b'1'));
            self.pairs += 1;
            self.matched += u64::from(matched);
            if program.is_match(subject) != matched {
                self.differ(vector, &format!("on {subject:?} Go says {matched}"));
            }
            if program.full_match(subject) != full {
                self.differ(vector, &format!("in full on {subject:?} Go says {full}"));
            }
            if program.is_anchored() && matched != full {
                self.differ(vector, &format!("called anchored, but not on {subject:?}"));
            }
            self.check_shape(vector, &shape, (subject, matched));
        }
    }

    /// Whether what an index would conclude agrees with Go's verdict.
    fn check_shape(&mut self, vector: &Vector, shape: &Shape, (subject, matched): (&str, bool)) {
        let begins = |starts: &[String]| starts.iter().any(|start| subject.starts_with(start));
        let agrees = match shape {
            Shape::Exact(subjects) => subjects.iter().any(|exact| exact == subject) == matched,
            Shape::Prefix { starts, decides: true } => begins(starts) == matched,
            Shape::Prefix { starts, decides: false } => begins(starts) || !matched,
            Shape::Any => matched,
            Shape::Other => return,
        };
        self.shaped += 1;
        if !agrees {
            self.differ(vector, &format!("the shape {shape:?} is wrong on {subject:?}"));
        }
    }

    fn differ(&mut self, vector: &Vector, what: &str) {
        self.differences.push(format!("{:?}: {what}", vector.pattern));
    }
}
