//! Short texts and short lists that lie where they are used: each place elsewhere in memory is one more to wait for.

/// Bytes, in place up to [`IN_PLACE`].
#[derive(Clone, Debug)]
pub(super) enum Label {
    /// How many, and the bytes with zeros behind.
    Short(u8, [u8; IN_PLACE]),
    Long(Box<[u8]>),
}

/// As many as fit into the room of the other kind.
const IN_PLACE: usize = 22;

impl Label {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Label {
    fn from(text: &[u8]) -> Self {
        let mut bytes = [0; IN_PLACE];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(room)) => {
                room.copy_from_slice(text);
                Self::Short(length, bytes)
            }
            (_, _) => Self::Long(text.into()),
        }
    }
}

/// A list that mostly has no item or one.
#[derive(Clone, Debug)]
pub(super) enum List<T> {
    Empty,
    One(T),
    More(Box<[T]>),
}

impl<T> List<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::Empty => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::More(items) => items,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Changes the items.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<T>)) {
        let mut items = match std::mem::replace(self, Self::Empty) {
            Self::Empty => Vec::new(),
            Self::One(item) => vec![item],
            Self::More(items) => items.into(),
        };
        change(&mut items);
        *self = match items.len() {
            0 => Self::Empty,
            1 => items.pop().map_or(Self::Empty, Self::One),
            _ => Self::More(items.into()),
        };
    }
}
