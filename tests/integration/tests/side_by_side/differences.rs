//! The list of intended differences, and the account of those that occurred.
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use spike_integration::workspace;

const LIST: &str = "tests/interop/differences.tsv";
const COLUMNS: &str = "run\twhat\taspect\tofficial\tours\ttimes\tloss\treason";
const ABSENT: &str = "(none)";

/// One line of the list.
#[derive(Debug)]
struct Row {
    line: usize,
    run: String,
    what: String,
    aspect: String,
    official: String,
    ours: String,
    times: usize,
    occurred: usize,
}

/// The part of the list that one run is about.
#[derive(Debug)]
pub(crate) struct Differences {
    run: String,
    rows: Vec<Row>,
    unlisted: Vec<String>,
}

/// The compared parts of the two answers to one question, each with its name.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) official: Vec<(String, String)>,
    pub(crate) ours: Vec<(String, String)>,
}

impl Differences {
    /// Reads the rows of this run, such as `probe/memory`; a row's run may end in `*`.
    pub(crate) fn read(run: &str) -> Result<Self> {
        let text = std::fs::read_to_string(workspace::root().join(LIST)).context(LIST)?;
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        let (_, columns) = lines.next().context("the columns' names")?;
        ensure!(columns == COLUMNS, "{LIST}: the columns are `{COLUMNS}`");
        let mut rows = Vec::new();
        for (number, line) in lines {
            rows.push(row(number + 1, line)?);
        }
        rows.retain(|row| matches(&row.run, run));
        Ok(Self {
            run: run.to_owned(),
            rows,
            unlisted: Vec::new(),
        })
    }

    /// Notes what differs between two answers to `what`.
    pub(crate) fn compare(&mut self, what: &str, both: Both) {
        let Both { official, mut ours } = both;
        for (aspect, official) in official {
            let same = ours.iter().position(|(name, _)| *name == aspect);
            let ours = same.map(|at| ours.remove(at).1);
            if ours.as_deref() != Some(official.as_str()) {
                self.note(what, &aspect, (&official, ours.as_deref().unwrap_or(ABSENT)));
            }
        }
        for (aspect, ours) in ours {
            self.note(what, &aspect, (ABSENT, &ours));
        }
    }

    fn note(&mut self, what: &str, aspect: &str, (official, ours): (&str, &str)) {
        let (official, ours) = (on_one_line(official), on_one_line(ours));
        let known = self.rows.iter_mut().find(|row| {
            matches(&row.what, what)
                && matches(&row.aspect, aspect)
                && matches(&row.official, &official)
                && matches(&row.ours, &ours)
        });
        match known {
            Some(row) => row.occurred += 1,
            None => self
                .unlisted
                .push(format!("{}\t{what}\t{aspect}\t{official}\t{ours}", self.run)),
        }
    }

    /// The end of a run over `tried` questions, of which there must be at least `least`.
    pub(crate) fn settle(self, tried: usize, least: usize) -> Result<()> {
        let mut report = String::new();
        for unlisted in &self.unlisted {
            writeln!(report, "not listed: {unlisted}")?;
        }
        for row in self.rows.iter().filter(|row| row.occurred != row.times) {
            writeln!(
                report,
                "{LIST}:{}: listed {} times, occurred {} times: {} {}",
                row.line, row.times, row.occurred, row.what, row.aspect
            )?;
        }
        let listed: usize = self.rows.iter().map(|row| row.occurred).sum();
        let summary = format!(
            "{}: {tried} compared, {listed} intended differences of {} kinds, {} others",
            self.run,
            self.rows.len(),
            self.unlisted.len()
        );
        ensure!(report.is_empty(), "{summary}\n{report}");
        ensure!(tried >= least, "{summary}; {least} were promised");
        writeln!(std::io::stdout(), "{summary}")?;
        Ok(())
    }
}

fn row(number: usize, line: &str) -> Result<Row> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [run, what, aspect, official, ours, times, loss, reason] = cells.as_slice() else {
        anyhow::bail!("{LIST}:{number}: {} cells instead of 8", cells.len());
    };
    ensure!(
        *loss == "no",
        "{LIST}:{number}: an official client would miss something"
    );
    ensure!(!reason.is_empty(), "{LIST}:{number}: no reason");
    Ok(Row {
        line: number,
        run: (*run).to_owned(),
        what: (*what).to_owned(),
        aspect: (*aspect).to_owned(),
        official: (*official).to_owned(),
        ours: (*ours).to_owned(),
        times: times.parse().with_context(|| format!("{LIST}:{number}: times"))?,
        occurred: 0,
    })
}

/// Whether a text is what a cell of the list says, in which `*` stands for anything.
fn matches(cell: &str, text: &str) -> bool {
    let mut parts = cell.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// A cell of the list: no line breaks, no tabs, not endless.
fn on_one_line(text: &str) -> String {
    const MOST: usize = 1_000;
    let text = text.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

fn list_of(listed: &str) -> Result<Differences> {
    Ok(Differences {
        run: "run".to_owned(),
        rows: vec![row(1, listed)?],
        unlisted: Vec::new(),
    })
}

fn answers(official: &str, ours: &str) -> Both {
    let part = |text: &str| vec![("body".to_owned(), text.to_owned())];
    Both {
        official: part(official),
        ours: part(ours),
    }
}

#[test]
fn a_difference_without_a_row_a_row_without_a_difference_and_a_loss_all_fail() -> Result<()> {
    let listed = "run\ta*\tbody\tone*\ttwo\t1\tno\tbecause";
    let mut exact = list_of(listed)?;
    exact.compare("a.b", answers("one more", "two"));
    exact.settle(1, 1)?;
    let mut unlisted = list_of(listed)?;
    unlisted.compare("a.b", answers("one more", "two"));
    unlisted.compare("b", answers("one more", "two"));
    ensure!(unlisted.settle(2, 1).is_err(), "a difference without a row");
    let mut twice = list_of(listed)?;
    twice.compare("a.b", answers("one", "two"));
    twice.compare("a.c", answers("one", "two"));
    ensure!(twice.settle(2, 1).is_err(), "a row that occurs too often");
    ensure!(list_of(listed)?.settle(1, 1).is_err(), "a row without a difference");
    let mut few = list_of(listed)?;
    few.compare("a.b", answers("one", "two"));
    ensure!(few.settle(1, 2).is_err(), "fewer questions than promised");
    ensure!(list_of(&listed.replace("\tno\t", "\tyes\t")).is_err(), "a loss");
    ensure!(list_of(&listed.replace("because", "")).is_err(), "no reason");
    Ok(())
}
