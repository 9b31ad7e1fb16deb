//! Asking before something is lost.
use std::io::{self, BufRead};

use crate::failure::Failure;
use crate::output::Output;

/// What a person answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// `y` or `Y`.
    Yes,
    /// Anything else.
    No,
}

/// Asks a question on standard output and reads one line from standard input. Only `y` and `Y` mean yes.
///
/// # Errors
/// [`Failure::Usage`] when there is nobody to answer: a script must say `--yes`.
pub(super) fn confirmed(question: &str, output: &mut Output) -> Result<Answer, Failure> {
    output.prompt(question)?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    match (read, line.trim()) {
        (Ok(1..), "y" | "Y") => Ok(Answer::Yes),
        (Ok(1..), _) => {
            output.line("Operation canceled.")?;
            Ok(Answer::No)
        }
        (Ok(0) | Err(_), _) => {
            output.line("Operation canceled.")?;
            Err(Failure::Usage(
                "nobody answered on standard input; --yes does it without asking".to_owned(),
            ))
        }
    }
}
