//! Compiled forms kept at hand, up to a number of bytes.
//!
//! A policy set may have more patterns than there is memory for their compiled forms, and a stranger may ask for them
//! all. So a compiled form only saves time: it is put on a shelf, and when the shelf is full, forms at random places are
//! dropped, to be compiled again when they are asked again. (The oldest or least used would be dropped just before it is
//! asked, whenever all are asked in turns.)
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Program;

/// What the compiled forms of this process may take: some 20,000 of those that are no row.
pub(super) static SHELF: Shelf = Shelf::new(32 << 20);

/// See the module.
pub(super) struct Shelf {
    most: usize,
    state: Mutex<State>,
}

struct State {
    places: Vec<Place>,
    bytes: usize,
    /// The last number that was drawn.
    drawn: u64,
}

struct Place {
    program: Weak<Program>,
    bytes: usize,
}

impl Shelf {
    /// An empty one for this many bytes.
    pub(super) const fn new(most: usize) -> Self {
        let state = State {
            places: Vec::new(),
            bytes: 0,
            drawn: 0x9E37_79B9_7F4A_7C15,
        };
        Self {
            most,
            state: Mutex::new(state),
        }
    }

    /// Puts a program that was compiled just now on the shelf.
    pub(super) fn put(&self, program: &Arc<Program>, bytes: usize) {
        let mut dropped = Vec::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.bytes.saturating_add(bytes) > self.most
            && let Some(place) = state.take()
        {
            dropped.push(place);
        }
        state.bytes += bytes;
        state.places.push(Place {
            program: Arc::downgrade(program),
            bytes,
        });
        drop(state);
        for program in dropped.iter().filter_map(|place| place.program.upgrade()) {
            program.forget();
        }
    }
}

impl State {
    /// Takes from a random place. Numbers from a known row are random enough: who asks does not choose places.
    fn take(&mut self) -> Option<Place> {
        let count = u64::try_from(self.places.len()).ok().filter(|count| *count > 0)?;
        self.drawn ^= self.drawn << 13;
        self.drawn ^= self.drawn >> 7;
        self.drawn ^= self.drawn << 17;
        let place = self
            .places
            .swap_remove(usize::try_from(self.drawn % count).unwrap_or(0));
        self.bytes -= place.bytes;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_fits_and_what_was_dropped_answers_as_before() {
        const MOST: usize = 64 * 1024;
        let shelf = Shelf::new(MOST);
        let patterns = (0..500).map(|n| Program::parse(&format!("^a{n}(/[a-z]+|)*/b$")));
        let programs: Vec<_> = patterns.filter_map(Result::ok).map(Arc::new).collect();
        assert_eq!(programs.len(), 500);
        let (mut together, mut most) = (0, 0);
        for (n, program) in programs.iter().enumerate() {
            assert!(program.is_match(&format!("a{n}/x/b")) && !program.is_match(&format!("a{n}/x/c")));
            together += program.memory();
            shelf.put(program, program.memory());
            let kept = programs.iter().map(|program| program.memory()).sum::<usize>();
            assert!(kept <= MOST, "{kept} bytes");
            most = most.max(kept);
        }
        assert!(together > 2 * MOST && most > MOST / 2, "{together} bytes, {most} kept");
        let dropped = programs
            .iter()
            .enumerate()
            .filter(|(_, program)| !program.is_compiled());
        assert!(dropped.clone().count() > 100);
        for (n, program) in dropped {
            assert!(program.is_match(&format!("a{n}/x/y/b")) && !program.is_match(&format!("b{n}/x/b")));
        }
    }

    #[test]
    fn a_program_that_is_gone_leaves_its_place_to_others() {
        let shelf = Shelf::new(1000);
        for _ in 0..100 {
            let program = Program::parse("^a$").map(Arc::new);
            assert!(program.is_ok_and(|program| {
                shelf.put(&program, 300);
                true
            }));
        }
        let state = shelf.state.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((state.places.len(), state.bytes), (3, 900));
    }
}
