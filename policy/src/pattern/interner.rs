//! Sharing: equal texts, one program.
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::dialect::Program;
use super::{IdPattern, InvalidPattern, PathPattern};

/// Lets patterns of equal text share one lazily compiled program. Holds no program alive by itself: a program dies
/// with the last pattern that uses it. Passed explicitly; there is no global one.
#[derive(Debug, Default)]
pub struct Interner {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the hash of the text: the text itself is kept once, in the program.
    programs: HashMap<u64, Weak<Program>>,
    hasher: RandomState,
    sweep_at: usize,
}

/// Below this many entries nothing is swept.
const MIN_SWEEP: usize = 1024;

impl Interner {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The identity pattern of this text, on the program of an equal text that is still in use.
    ///
    /// # Errors
    /// As `text.parse::<IdPattern>()`.
    pub fn id_pattern(&self, text: &str) -> Result<IdPattern, InvalidPattern> {
        text.parse().map(|pattern| self.share_id(pattern))
    }

    /// The path pattern of this text, on the program of an equal text that is still in use.
    ///
    /// # Errors
    /// As `text.parse::<PathPattern>()`.
    pub fn path_pattern(&self, text: &str) -> Result<PathPattern, InvalidPattern> {
        text.parse().map(|pattern| self.share_path(pattern))
    }

    /// The same pattern on the program of an equal text that is still in use; if there is none, its own program is the
    /// one that later patterns share.
    #[must_use]
    pub fn share_id(&self, pattern: IdPattern) -> IdPattern {
        IdPattern {
            program: self.share(pattern.program),
        }
    }

    /// The same pattern on the program of an equal text that is still in use; if there is none, its own program is the
    /// one that later patterns share.
    #[must_use]
    pub fn share_path(&self, pattern: PathPattern) -> PathPattern {
        PathPattern {
            program: self.share(pattern.program),
        }
    }

    /// How many programs it knows that are still in use.
    pub fn live(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .programs
            .values()
            .filter(|program| program.strong_count() > 0)
            .count()
    }

    /// How many programs it remembers, dead ones included.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).programs.len()
    }

    fn share(&self, program: Arc<Program>) -> Arc<Program> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = known.hasher.hash_one(program.as_str());
        let found = known.programs.get(&key).and_then(Weak::upgrade);
        match found {
            Some(shared) if shared.as_str() == program.as_str() => shared,
            // Two texts with one hash: the newcomer keeps its own program.
            Some(_) => program,
            None => {
                known.programs.insert(key, Arc::downgrade(&program));
                known.sweep();
                program
            }
        }
    }
}

impl Known {
    /// Forgets the programs that died, whenever the number of entries has doubled since the last time.
    fn sweep(&mut self) {
        if self.programs.len() > self.sweep_at {
            self.programs.retain(|_, program| program.strong_count() > 0);
            self.sweep_at = (self.programs.len() * 2).max(MIN_SWEEP);
        }
    }
}
