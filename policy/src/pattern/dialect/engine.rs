//! What runs an expression.
use regex_automata::dfa::{Automaton, StartKind, dense, sparse};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::{Input, meta};
use regex_syntax::hir::Hir;

use super::bits::Bits;
use super::row::Row;
use super::tree::Node;

/// Bytes of the compiled NFA.
const MAX_NFA: usize = 256 * 1024;
/// Bytes that the general engine may cache, per expression and thread.
const MAX_CACHE: usize = 256 * 1024;

/// Bytes around an engine that is kept: its count of users, its place on the shelf.
const KEEPING: usize = 64;

/// A compiled expression.
#[derive(Debug)]
pub(super) enum Engine {
    /// Texts and runs one behind the other: what most people write, and nothing to compile.
    Row(Box<Row>),
    /// A whole DFA: one step per byte of the subject whatever the expression is, and about 1 KiB for what people write.
    Table(Box<sparse::DFA<Vec<u8>>>),
    /// For small expressions whose DFA is not small.
    Bits(Box<Bits>),
    /// Built as it goes: for what is left, expressions with word boundaries or line ends among them.
    General(Box<meta::Regex>),
}

/// How much to spend on building a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Bytes of the table.
    table: usize,
    /// Bytes of the sets of NFA states while it is built, times the letters of the table: what building costs, a few
    /// nanoseconds each.
    work: usize,
}

impl Effort {
    /// A millisecond or so: fit for a decision that has to wait for it.
    pub(super) const QUICK: Self = Self {
        table: 64 * 1024,
        work: 256 * 1024,
    };
    /// Some 50 milliseconds: fit for a policy that is being written.
    pub(super) const THOROUGH: Self = Self {
        table: 512 * 1024,
        work: 8 * 1024 * 1024,
    };
}

impl Engine {
    /// As a row; `None` if it is none.
    pub(super) fn row(root: &Node) -> Option<Self> {
        Row::of(root).map(|row| Self::Row(Box::new(row)))
    }

    /// As a table; `None` if that takes more than the effort.
    pub(super) fn table(hir: &Hir, effort: Effort) -> Option<Self> {
        let table = dense_table(hir, effort)?;
        table.to_sparse().ok().map(|table| Self::Table(Box::new(table)))
    }

    /// As sets of bits; `None` if it is not of that kind.
    pub(super) fn bits(hir: &Hir) -> Option<Self> {
        Bits::new(&nfa(hir)?).map(|bits| Self::Bits(Box::new(bits)))
    }

    /// For an expression of a few instructions, whose DFA may be large all the same.
    pub(super) fn general(hir: &Hir) -> Option<Self> {
        let config = meta::Regex::config()
            .utf8_empty(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(MAX_NFA))
            .hybrid_cache_capacity(MAX_CACHE)
            .onepass(false)
            .dfa(false);
        let regex = meta::Regex::builder().configure(config).build_from_hir(hir).ok()?;
        Some(Self::General(Box::new(regex)))
    }

    /// Whether it matches anywhere in the subject.
    pub(super) fn is_match(&self, subject: &str) -> bool {
        match self {
            Self::Row(row) => row.is_match(subject),
            // A DFA without Unicode word boundaries never gives up; if it did, the answer would be no.
            Self::Table(table) => {
                let input = Input::new(subject).earliest(true);
                table.try_search_fwd(&input).is_ok_and(|end| end.is_some())
            }
            Self::Bits(bits) => bits.is_match(subject),
            Self::General(regex) => regex.is_match(subject),
        }
    }

    /// Bytes on the heap, without the caches of [`Engine::General`].
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Row(row) => size_of_val(row.as_ref()) + row.memory(),
            Self::Table(table) => size_of_val(table.as_ref()) + table.memory_usage(),
            Self::Bits(bits) => bits.memory(),
            Self::General(regex) => regex.memory_usage(),
        }
    }

    /// Bytes that it may come to take, what keeps it included.
    pub(super) fn weight(&self) -> usize {
        let cache = match self {
            Self::Row(_) | Self::Table(_) | Self::Bits(_) => 0,
            // Few subjects fill the cache.
            Self::General(_) => MAX_CACHE / 4,
        };
        self.memory() + KEEPING + cache
    }
}

/// The whole DFA of an unanchored search, for who asks about all subjects; `None` if it is large.
pub(super) fn whole_table(hir: &Hir) -> Option<dense::DFA<Vec<u32>>> {
    dense_table(hir, Effort::THOROUGH)
}

fn dense_table(hir: &Hir, effort: Effort) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = nfa(hir)?;
    let sets = effort.work / nfa.byte_classes().alphabet_len();
    let config = dense::Config::new()
        .accelerate(false)
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(effort.table))
        .determinize_size_limit(Some(sets));
    dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()
}

fn nfa(hir: &Hir) -> Option<NFA> {
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAX_NFA));
    thompson::Compiler::new().configure(config).build_from_hir(hir).ok()
}
