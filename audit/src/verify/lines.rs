//! The lines of all files, one after the other, with a look ahead.
use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::rc::Rc;

use super::{Source, VerifyError};
use crate::chain::Sealed;

/// The longest line that is read; ours are far shorter.
const LONGEST: u64 = 1 << 20;

/// A line and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) file: Rc<str>,
    /// From 1.
    pub(super) number: u64,
    /// Without its line feed.
    pub(super) text: Vec<u8>,
    /// Whether a line feed stands behind it.
    pub(super) ended: bool,
}

impl Line {
    /// What it claims to be; a line of ours always has an end.
    pub(super) fn sealed(&self) -> Option<Sealed<'_>> {
        Sealed::parse(&self.text).filter(|_| self.ended)
    }
}

/// The lines of a log.
#[derive(Debug)]
pub(super) struct Lines {
    files: VecDeque<Source>,
    current: Option<(Source, Rc<str>, u64)>,
    ahead: VecDeque<Line>,
    pub(super) files_read: usize,
    /// Lines that are none of ours are passed over and counted.
    stream: bool,
    pub(super) foreign: u64,
}

impl Lines {
    pub(super) fn new(sources: Vec<Source>, stream: bool) -> Self {
        Self {
            files: sources.into(),
            current: None,
            ahead: VecDeque::new(),
            files_read: 0,
            stream,
            foreign: 0,
        }
    }

    /// The next line.
    pub(super) fn next(&mut self) -> Result<Option<Line>, VerifyError> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    /// Puts back what was taken last.
    pub(super) fn put_back(&mut self, line: Line) {
        self.ahead.push_front(line);
    }

    /// The line `at` places ahead, from 0.
    pub(super) fn peek(&mut self, at: usize) -> Result<Option<&Line>, VerifyError> {
        while self.ahead.len() <= at {
            let Some(line) = self.read()? else { return Ok(None) };
            self.ahead.push_back(line);
        }
        Ok(self.ahead.get(at))
    }

    fn read(&mut self) -> Result<Option<Line>, VerifyError> {
        loop {
            let Some((source, name, number)) = &mut self.current else {
                let Some(source) = self.files.pop_front() else {
                    return Ok(None);
                };
                self.files_read += 1;
                let name = Rc::from(source.name.as_str());
                self.current = Some((source, name, 0));
                continue;
            };
            let mut text = Vec::new();
            let read = source.bytes.by_ref().take(LONGEST).read_until(b'\n', &mut text);
            if let Err(error) = read {
                return Err(VerifyError::Read {
                    name: source.name.clone(),
                    source: error,
                });
            }
            if text.is_empty() {
                self.current = None;
                continue;
            }
            *number += 1;
            let ended = text.pop_if(|byte| *byte == b'\n').is_some();
            let line = Line {
                file: Rc::clone(name),
                number: *number,
                text,
                ended,
            };
            if self.stream && line.sealed().is_none() {
                self.foreign += 1;
                continue;
            }
            return Ok(Some(line));
        }
    }
}
