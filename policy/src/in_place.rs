//! Short texts and short lists that lie where they are used.
//!
//! A decision among 100,000 policies is a chain of places in memory, hardly any of which is in a processor's cache: each
//! place costs more than all that is done there. What is mostly small therefore lies inside what refers to it, and only
//! the rest elsewhere.
//!
//! **Owns** where such bytes and items lie. **Refuses** to change in place: what changes is made anew. **Invariant**:
//! wherever it lies, it reads as what it was made of.

/// Bytes, in place up to `N`. Takes `N + 2` bytes, rounded up to a multiple of 8.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Bytes<const N: usize> {
    /// How many, and the bytes with zeros behind.
    Here(u8, [u8; N]),
    /// A pointer to what says where they are, since that takes half the room of saying it here.
    Elsewhere(Box<Elsewhere>),
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere(Box<[u8]>);

impl<const N: usize> Bytes<N> {
    pub(crate) const EMPTY: Self = Self::Here(0, [0; N]);

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Here(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Elsewhere(bytes) => &bytes.0,
        }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Here(..) => 0,
            Self::Elsewhere(bytes) => size_of::<Elsewhere>() + bytes.0.len(),
        }
    }
}

impl<const N: usize> From<&[u8]> for Bytes<N> {
    fn from(text: &[u8]) -> Self {
        let mut bytes = [0; N];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(room)) => {
                room.copy_from_slice(text);
                Self::Here(length, bytes)
            }
            (_, _) => Self::Elsewhere(Box::new(Elsewhere(text.into()))),
        }
    }
}

impl<const N: usize> std::fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

/// A list that mostly has no item or one.
#[derive(Clone, Debug)]
pub(crate) enum List<T> {
    Empty,
    One(T),
    More(Box<[T]>),
}

impl<T> List<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Empty => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::More(items) => items,
        }
    }

    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::Empty => Vec::new(),
            Self::One(item) => vec![item],
            Self::More(items) => items.into(),
        }
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(mut items: Vec<T>) -> Self {
        match items.len() {
            0 => Self::Empty,
            1 => items.pop().map_or(Self::Empty, Self::One),
            _ => Self::More(items.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_they_were_made_of_wherever_they_lie() {
        for length in 0..40 {
            let text = vec![b'x'; length];
            let bytes = Bytes::<14>::from(&*text);
            assert_eq!(bytes.as_slice(), text);
            assert_eq!(bytes.memory() > 0, length > 14, "{length}");
        }
        assert_eq!((size_of::<Bytes<14>>(), size_of::<Bytes<46>>()), (16, 48));
    }

    #[test]
    fn a_list_of_any_length_is_the_same_list() {
        for length in 0..4 {
            let items: Vec<usize> = (0..length).collect();
            let list = List::from(items.clone());
            assert_eq!((list.as_slice(), list.clone().into_vec()), (&*items, items.clone()));
        }
    }
}
