//! Along the chain, line by line.
use serde_json::{Map, Value};

use super::lines::{Line, Lines};
use super::report::{Broken, Fault, Reach, Report, Torn};
use super::{Options, VerifyError};
use crate::chain::{ChainId, Hash, Head, Seal, Sealed};

/// How far ahead the line is looked for that should have come.
const AHEAD: usize = 10_000;

/// Bytes between two lines of ours that are compared with what the later one says about them.
const MOST_UNSEALED: usize = 2 << 20;

/// One walk.
pub(super) struct Walk<'a> {
    lines: Lines,
    options: &'a Options,
    report: Report,
    /// The last line of each chain; outside of a stream there is one.
    heads: Vec<Head>,
    anchors: Vec<Head>,
}

/// The line that begins a file or chain.
struct Begin {
    members: Map<String, Value>,
    previous: Hash,
}

impl Begin {
    fn of(sealed: &Sealed<'_>) -> Option<Self> {
        if sealed.event() != b"audit.begin" {
            return None;
        }
        let members = sealed.members()?;
        let previous = members.get("previous")?.as_str()?.parse().ok()?;
        Some(Self { members, previous })
    }

    fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The line that it says it goes on behind.
    fn behind(&self) -> Option<Head> {
        let seq = self.members.get("previous_seq")?.as_u64()?;
        let head = format!("{}:{seq}:{}", self.text("previous_chain"), self.previous);
        head.parse().ok()
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(lines: Lines, options: &'a Options) -> Self {
        Self {
            lines,
            options,
            report: Report::default(),
            heads: Vec::new(),
            anchors: options.anchors.clone(),
        }
    }

    pub(super) fn run(mut self) -> Result<Report, VerifyError> {
        let mut last = None;
        while let Some(line) = self.lines.next()? {
            last = Some((line.file.clone(), line.number));
            if let Some(fault) = self.look_at(&line)? {
                self.report.broken = Some(Broken {
                    file: line.file.to_string(),
                    line: line.number,
                    fault,
                });
                break;
            }
        }
        self.report.files = self.lines.files_read;
        self.report.foreign = self.lines.foreign;
        self.report.head = self.heads.last().copied();
        if let (None, Some(anchor)) = (&self.report.broken, self.anchors.pop()) {
            let (file, line) = last.map_or_else(Default::default, |(file, line)| (file.to_string(), line));
            self.report.broken = Some(Broken {
                file,
                line,
                fault: Fault::AnchorMissing(Box::new(anchor)),
            });
        }
        Ok(self.report)
    }

    /// Takes one line up, or says what is wrong with it.
    fn look_at(&mut self, line: &Line) -> Result<Option<Fault>, VerifyError> {
        let Some(sealed) = line.sealed() else {
            return self.unsealed(line);
        };
        let begin = Begin::of(&sealed);
        if let Some(begin) = &begin {
            self.check_seal(begin)?;
        }
        let before = self.before(sealed.head.chain);
        let previous = match (before, &begin) {
            (Some(head), _) => head.hash,
            (None, Some(begin)) => begin.previous,
            (None, None) => return Ok(Some(Fault::Removed(None))),
        };
        let right_number = before.is_none_or(|head| head.seq.checked_add(1) == Some(sealed.head.seq));
        let right_chain = begin.is_some() || before.is_some_and(|head| head.chain == sealed.head.chain);
        if right_number && right_chain && sealed.follows(&previous, &self.options.seal) {
            if before.is_none() {
                self.report.behind = self.report.behind.or(begin.as_ref().and_then(Begin::behind));
            }
            self.take(&sealed);
            return Ok(None);
        }
        let Some(before) = before else {
            return Ok(Some(Fault::Edited));
        };
        self.fault(line, &sealed, (before, begin.as_ref())).map(Some)
    }

    /// The line that this one should follow.
    fn before(&self, chain: ChainId) -> Option<Head> {
        if self.options.stream {
            self.heads.iter().find(|head| head.chain == chain).copied()
        } else {
            self.heads.last().copied()
        }
    }

    fn check_seal(&self, begin: &Begin) -> Result<(), VerifyError> {
        let (log, given) = (begin.text("seal"), self.options.seal.as_str());
        // Who rewrites a sealed log without its key would say that it never had one.
        let hint = match self.options.seal {
            _ if log == given => return Ok(()),
            Seal::Plain if log == "hmac-sha256" => "give the key file",
            Seal::Keyed(_) if log == "sha256" => "it was written without a key, or by somebody who has none",
            Seal::Plain | Seal::Keyed(_) => return Ok(()),
        };
        Err(VerifyError::Seal {
            log: log.to_owned(),
            given,
            hint,
        })
    }

    fn take(&mut self, sealed: &Sealed<'_>) {
        let head = sealed.head;
        if self.options.stream {
            self.heads.retain(|known| known.chain != head.chain);
        } else {
            self.heads.clear();
        }
        self.heads.push(head);
        self.anchors.retain(|anchor| *anchor != head);
        let report = &mut self.report;
        report.lines += 1;
        report.ended = sealed.event() == b"audit.end";
        if sealed.event() == b"audit.lost" {
            let lines = sealed.members().and_then(|members| members.get("lines")?.as_u64());
            report.lost = report.lost.saturating_add(lines.unwrap_or(0));
        }
        match report.chains.iter_mut().rev().find(|reach| reach.chain == head.chain) {
            Some(reach) => reach.last = head.seq,
            None => report.chains.push(Reach {
                chain: head.chain,
                first: head.seq,
                last: head.seq,
            }),
        }
    }

    /// A line of ours that does not follow the one before.
    fn fault(
        &mut self,
        line: &Line,
        sealed: &Sealed<'_>,
        (before, begin): (Head, Option<&Begin>),
    ) -> Result<Fault, VerifyError> {
        let expected = before.seq.saturating_add(1);
        let own = sealed.head;
        if let Some(found) = self.find_next(before)? {
            // The log goes on further down: this line is in the way.
            let copied = self.find_copy(line, found)?;
            return Ok(match own.seq {
                seq if seq < expected => Fault::Duplicated,
                seq if seq > expected && !copied => Fault::Reordered,
                _ => Fault::Inserted,
            });
        }
        if begin.is_some_and(|begin| begin.previous == Hash::NONE) && sealed.follows(&Hash::NONE, &self.options.seal) {
            return Ok(Fault::Unlinked);
        }
        let next = self.lines.peek(0)?.and_then(Line::sealed);
        let next_is_behind = |seq: u64| next.is_some_and(|next| seq.checked_add(1) == Some(next.head.seq));
        let links = next.is_some_and(|next| next.follows(&own.hash, &self.options.seal));
        Ok(match own.seq.checked_sub(expected) {
            Some(0) => Fault::Edited,
            // Its number was changed, but it is the one that the next line was written behind.
            _ if next_is_behind(expected) => Fault::Edited,
            Some(missing) if links || next.is_none() || next_is_behind(own.seq) => Fault::Removed(Some(missing)),
            None if next.is_none() => Fault::Duplicated,
            Some(_) | None => Fault::Edited,
        })
    }

    /// Looks ahead for the line that should have come; gives how far it is.
    fn find_next(&mut self, before: Head) -> Result<Option<usize>, VerifyError> {
        let seal = self.options.seal.clone();
        let expected = before.seq.saturating_add(1);
        for at in 0..AHEAD {
            let Some(line) = self.lines.peek(at)? else {
                return Ok(None);
            };
            let fits = line
                .sealed()
                .is_some_and(|sealed| sealed.head.seq == expected && sealed.follows(&before.hash, &seal));
            if fits {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Whether the same line stands behind the place `from`, where it may belong.
    fn find_copy(&mut self, line: &Line, from: usize) -> Result<bool, VerifyError> {
        for at in from..from.saturating_add(AHEAD) {
            match self.lines.peek(at)? {
                None => return Ok(false),
                Some(other) if other.text == line.text => return Ok(true),
                Some(_) => {}
            }
        }
        Ok(false)
    }

    /// Bytes that are no line of ours: half a line that the next one names, or somebody's work.
    fn unsealed(&mut self, first: &Line) -> Result<Option<Fault>, VerifyError> {
        let mut bytes = first.text.clone();
        let mut many = false;
        let begin = loop {
            let Some(line) = self.lines.next()? else { break None };
            if line.sealed().is_some() {
                break Some(line);
            }
            many = true;
            bytes.push(b'\n');
            bytes.extend_from_slice(&line.text);
            if bytes.len() > MOST_UNSEALED {
                break None;
            }
        };
        let Some(next) = begin else {
            let bytes = first.text.len() as u64;
            let whole = many || first.ended;
            return Ok(Some(if whole {
                Fault::Edited
            } else {
                Fault::TornTail { bytes }
            }));
        };
        let fault = self.between(first, &bytes, (&next, many));
        self.lines.put_back(next);
        Ok(fault)
    }

    /// What stands between the last line of ours and the next.
    fn between(&mut self, first: &Line, bytes: &[u8], (next, many): (&Line, bool)) -> Option<Fault> {
        let sealed = next.sealed()?;
        let before = self.heads.last().copied();
        let follows = before.is_some_and(|head| {
            head.seq.checked_add(1) == Some(sealed.head.seq) && sealed.follows(&head.hash, &self.options.seal)
        });
        if !follows {
            return Some(Fault::Edited);
        }
        let digest = Begin::of(&sealed).map(|begin| begin.text("unsealed_sha256").to_owned());
        if many || digest != Some(Hash::of(bytes).to_string()) {
            return Some(Fault::Inserted);
        }
        self.report.torn.push(Torn {
            file: first.file.to_string(),
            line: first.number,
            bytes: bytes.len() as u64,
        });
        None
    }
}
