//! A small expression as sets of bits: every place the NFA can be in at once, one bit each.
//!
//! For the few small expressions whose DFA would be large (`.*a.{30}!`): a step costs a nanosecond or so for each place
//! reached, whatever the subject is, and there is nothing to warm up.
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

/// Places that fit: the bits but one, which stands for a match.
const PLACES: usize = 127;
/// An NFA of more states has too many places, or is not worth a look.
const MAX_STATES: usize = 512;
const MATCH: u128 = 1 << PLACES;

/// An NFA without word boundaries and line ends, of at most [`PLACES`] places. A place is a state that waits for a byte.
#[derive(Debug)]
pub(super) struct Bits {
    /// Which places a byte satisfies.
    by_byte: Vec<u128>,
    /// What is reached behind each place.
    behind: Vec<Reached>,
    /// The places behind which only the next one is reached: of a counted repetition nearly all, moved in one step.
    chained: u128,
    start: Reached,
}

/// The places that are reached without reading a byte.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// With more bytes to come.
    inside: u128,
    /// At the end of the subject.
    at_end: u128,
}

impl Bits {
    /// `None` if it is not of that kind.
    pub(super) fn new(nfa: &NFA) -> Option<Self> {
        if nfa.states().len() > MAX_STATES {
            return None;
        }
        let places = places(nfa);
        if places.len() > PLACES {
            return None;
        }
        let closure = Closure { nfa, places: &places };
        let mut by_byte = vec![0_u128; 0x80];
        for (byte, satisfied) in by_byte.iter_mut().enumerate() {
            *satisfied = closure.bits_where(|place| place.bytes & (1 << byte) != 0);
        }
        let behind = places
            .iter()
            .map(|place| closure.reached(place.target, false))
            .collect::<Option<Vec<_>>>()?;
        let chained = (0..).zip(&behind).filter(|(place, behind)| behind.is_only(place + 1));
        let chained = chained.fold(0, |bits, (place, _)| bits | 1 << place);
        let start = closure.reached(nfa.start_unanchored(), true)?;
        Some(Self {
            by_byte,
            behind,
            chained,
            start,
        })
    }

    /// Whether it matches anywhere in the subject (ASCII).
    pub(super) fn is_match(&self, subject: &str) -> bool {
        let bytes = subject.as_bytes();
        let mut reached = self.start.at(bytes.is_empty());
        for (read, &byte) in (1..).zip(bytes) {
            if reached & MATCH != 0 {
                return true;
            }
            let at_end = read == bytes.len();
            let mut moving = reached & self.by_byte.get(usize::from(byte)).copied().unwrap_or(0);
            reached = (moving & self.chained) << 1;
            moving &= !self.chained;
            while moving != 0 {
                let place = moving.trailing_zeros() as usize;
                reached |= self.behind.get(place).map_or(0, |behind| behind.at(at_end));
                moving &= moving - 1;
            }
        }
        reached & MATCH != 0
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self) + size_of_val(self.by_byte.as_slice()) + size_of_val(self.behind.as_slice())
    }
}

impl Reached {
    fn is_only(self, place: u32) -> bool {
        self.inside == 1 << place && self.at_end == 1 << place
    }

    fn at(self, end: bool) -> u128 {
        if end { self.at_end } else { self.inside }
    }
}

/// A state that waits for a byte, as far as it leads to one target.
struct Place {
    state: StateID,
    target: StateID,
    /// Bit `n` is the byte `n`: subjects are ASCII.
    bytes: u128,
}

fn places(nfa: &NFA) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let states = nfa
        .states()
        .iter()
        .enumerate()
        .filter_map(|(index, state)| Some((StateID::new(index).ok()?, state)));
    for (id, state) in states {
        let of_this_state = places.len();
        for byte in 0..0x80_u8 {
            let Some(target) = target(state, byte) else { continue };
            let known = places
                .iter_mut()
                .skip(of_this_state)
                .find(|place| place.target == target);
            match known {
                Some(place) => place.bytes |= 1 << byte,
                None => places.push(Place {
                    state: id,
                    target,
                    bytes: 1 << byte,
                }),
            }
        }
    }
    places
}

fn target(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        State::Look { .. }
        | State::Union { .. }
        | State::BinaryUnion { .. }
        | State::Capture { .. }
        | State::Fail
        | State::Match { .. } => None,
    }
}

struct Closure<'a> {
    nfa: &'a NFA,
    places: &'a [Place],
}

impl Closure<'_> {
    fn reached(&self, from: StateID, at_start: bool) -> Option<Reached> {
        let inside = self.walk(from, at_start, false)?;
        let at_end = self.walk(from, at_start, true)?;
        Some(Reached { inside, at_end })
    }

    /// `None` if it meets an assertion that depends on the bytes around.
    fn walk(&self, from: StateID, at_start: bool, at_end: bool) -> Option<u128> {
        let mut reached = 0;
        let mut seen = vec![false; self.nfa.states().len()];
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            let first_visit = seen
                .get_mut(id.as_usize())
                .is_some_and(|seen| !std::mem::replace(seen, true));
            if !first_visit {
                continue;
            }
            match self.nfa.state(id) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
                    reached |= self.bits_where(|place| place.state == id);
                }
                State::Look {
                    look: Look::Start,
                    next,
                } => open.extend(at_start.then_some(*next)),
                State::Look { look: Look::End, next } => open.extend(at_end.then_some(*next)),
                State::Look { .. } => return None,
                State::Union { alternates } => open.extend(alternates.iter().copied()),
                State::BinaryUnion { alt1, alt2 } => open.extend([*alt1, *alt2]),
                State::Capture { next, .. } => open.push(*next),
                State::Fail => {}
                State::Match { .. } => reached |= MATCH,
            }
        }
        Some(reached)
    }

    fn bits_where(&self, holds: impl Fn(&Place) -> bool) -> u128 {
        let bits = self.places.iter().enumerate().filter(|(_, place)| holds(place));
        bits.fold(0, |bits, (bit, _)| bits | 1 << bit)
    }
}
