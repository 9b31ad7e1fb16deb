//! Where the root key comes from: a key file or a systemd credential, and what is refused.
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use zeroize::Zeroizing;

use super::key::RootKey;
use super::private_file::{Draft, ensure_directory_of, exposed_directory_of, open_to_read};
use super::random::RandomError;

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKeySource {
    /// A file of 32 raw bytes or 64 hexadecimal digits (one newline may follow), mode 0600 or stricter, ours or
    /// root's, no symbolic link. Created when neither it nor the database exists.
    KeyFile(PathBuf),
    /// A credential that systemd put into `$CREDENTIALS_DIRECTORY`: the same contents. Never created.
    CredentialsDirectory {
        /// The value of `$CREDENTIALS_DIRECTORY`.
        directory: PathBuf,
        /// The credential's name.
        name: String,
    },
    /// The shares that operators hand in (`/v1/operator/restore`), every time the process starts.
    Operators,
    /// The shards that SPIKE's Keepers hold; or operators, as above.
    Keepers,
}

/// Why there is no root key. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not there, and it may not be created.
    #[error("root key `{path}`: no such file; {hint}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why it is not created.
        hint: &'static str,
    },
    /// Its name leads elsewhere.
    #[error("root key `{0}`: it is a symbolic link; name the file itself")]
    Symlink(PathBuf),
    /// A directory, pipe, device or socket.
    #[error("root key `{path}`: it is a {kind}, not a regular file")]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Someone else could replace its contents.
    #[error("root key `{path}`: it belongs to user {owner}; it must belong to user {us} or root")]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Others may read or write it.
    #[error("root key `{path}`: its mode {mode:04o} lets others read or write it; run chmod 600")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Others may replace it.
    #[error("root key `{path}`: the mode {mode:04o} of its directory lets others replace it; run chmod 700 on it")]
    Directory {
        /// The file.
        path: PathBuf,
        /// The directory's mode.
        mode: u32,
    },
    /// Nothing in it.
    #[error("root key `{0}`: it is empty")]
    Empty(PathBuf),
    /// Not 32 and not 64 bytes.
    #[error("root key `{path}`: it has {length} bytes; it must have 32 raw bytes or 64 hexadecimal digits")]
    Length {
        /// The file.
        path: PathBuf,
        /// How many bytes it has.
        length: u64,
    },
    /// 64 bytes that are no hexadecimal digits.
    #[error("root key `{0}`: its 64 characters are not all hexadecimal digits")]
    NotHex(PathBuf),
    /// 32 zero bytes.
    #[error("root key `{0}`: it is all zero")]
    Zero(PathBuf),
    /// The operating system refused.
    #[error("root key `{path}`: could not {action}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Nobody has brought it yet.
    #[error("operators or Keepers bring the root key")]
    Awaited,
    /// No random bytes for a new key.
    #[error("could not create a root key")]
    Random(#[from] RandomError),
}

impl RootKeySource {
    /// Reads the key.
    pub fn load(&self) -> Result<RootKey, KeyFileError> {
        match self {
            Self::KeyFile(path) => read(
                path,
                0o077,
                "the database exists: bring back the key it was created with",
            ),
            // systemd grants a service its credential through an access control list, which shows as group read.
            Self::CredentialsDirectory { directory, name } => read(
                &directory.join(name),
                0o037,
                "set LoadCredential= or LoadCredentialEncrypted= in the unit",
            ),
            Self::Operators | Self::Keepers => Err(KeyFileError::Awaited),
        }
    }

    /// Whether the key comes after the start, from others.
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::KeyFile(_) | Self::CredentialsDirectory { .. } => false,
            Self::Operators | Self::Keepers => true,
        }
    }

    /// Reads the key, or creates a key file. Only for a database that does not exist either.
    pub fn load_or_create(&self) -> Result<RootKey, KeyFileError> {
        match (self, self.load()) {
            (Self::KeyFile(path), Err(KeyFileError::Missing { .. })) => create(path),
            (Self::KeyFile(_) | Self::CredentialsDirectory { .. } | Self::Operators | Self::Keepers, answer) => answer,
        }
    }
}

fn read(path: &Path, forbidden: u32, hint: &'static str) -> Result<RootKey, KeyFileError> {
    let mut file = open(path, hint)?;
    check_metadata(path, &file, forbidden)?;
    check_directory(path)?;
    let mut text = Zeroizing::new([0; 66]);
    let length = fill(&mut file, text.as_mut_slice()).map_err(|source| failed(path, "read it", source))?;
    let read = text.get(..length).unwrap_or_default();
    let mut key = Zeroizing::new([0; 32]);
    match (read.len(), read) {
        (0, _) => return Err(KeyFileError::Empty(path.to_owned())),
        (32, raw) => key.copy_from_slice(raw),
        (64, hex) | (65, [hex @ .., b'\n']) => {
            decode_hex(hex, &mut key).ok_or_else(|| KeyFileError::NotHex(path.to_owned()))?;
        }
        _ => return Err(wrong_length(path, &file, length)),
    }
    if key.iter().all(|byte| *byte == 0) {
        return Err(KeyFileError::Zero(path.to_owned()));
    }
    Ok(RootKey::take(&mut key))
}

fn open(path: &Path, hint: &'static str) -> Result<File, KeyFileError> {
    open_to_read(path).map_err(|source| {
        let path = path.to_owned();
        match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOENT) => KeyFileError::Missing { path, hint },
            Some(rustix::io::Errno::LOOP) => KeyFileError::Symlink(path),
            Some(rustix::io::Errno::NXIO) => KeyFileError::NotAFile { path, kind: "socket" },
            Some(_) | None => failed(&path, "open it", source),
        }
    })
}

/// Judges the open file, not its name: the name could be made to point elsewhere in between.
fn check_metadata(path: &Path, file: &File, forbidden: u32) -> Result<(), KeyFileError> {
    let stat = rustix::fs::fstat(file).map_err(|error| failed(path, "inspect it", error.into()))?;
    if let Some(kind) = not_a_file(FileType::from_raw_mode(stat.st_mode)) {
        return Err(KeyFileError::NotAFile {
            path: path.to_owned(),
            kind,
        });
    }
    let us = rustix::process::geteuid().as_raw();
    if stat.st_uid != us && stat.st_uid != 0 {
        return Err(KeyFileError::Owner {
            path: path.to_owned(),
            owner: stat.st_uid,
            us,
        });
    }
    let mode = stat.st_mode & 0o7777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(KeyFileError::Mode {
            path: path.to_owned(),
            mode,
        })
    }
}

fn check_directory(path: &Path) -> Result<(), KeyFileError> {
    match exposed_directory_of(path).map_err(|source| failed(path, "inspect its directory", source))? {
        Some(mode) => Err(KeyFileError::Directory {
            path: path.to_owned(),
            mode,
        }),
        None => Ok(()),
    }
}

fn not_a_file(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("directory"),
        FileType::Fifo => Some("pipe"),
        FileType::Socket => Some("socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("device"),
        FileType::Symlink | FileType::Unknown => Some("special file"),
    }
}

fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn wrong_length(path: &Path, file: &File, read: usize) -> KeyFileError {
    let length = file
        .metadata()
        .map_or(u64::try_from(read).unwrap_or(u64::MAX), |metadata| metadata.len());
    KeyFileError::Length {
        path: path.to_owned(),
        length,
    }
}

fn decode_hex(hex: &[u8], key: &mut [u8; 32]) -> Option<()> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, _) = hex.as_chunks::<2>();
    for ([high, low], to) in pairs.iter().zip(key.iter_mut()) {
        *to = digit(high)? << 4 | digit(low)?;
    }
    Some(())
}

fn create(path: &Path) -> Result<RootKey, KeyFileError> {
    ensure_directory_of(path).map_err(|source| failed(path, "create its directory", source))?;
    let key = RootKey::generate()?;
    write_new(path, &key)?;
    tracing::info!(path = %path.display(), "created a root key; back it up: without it the database cannot be read");
    Ok(key)
}

/// Writes a key file that is not there yet: whole and durable, or not at all.
pub(super) fn write_new(path: &Path, key: &RootKey) -> Result<(), KeyFileError> {
    check_directory(path)?;
    // The last byte stays the newline.
    let mut text = Zeroizing::new([b'\n'; 65]);
    for (byte, pair) in key.expose_secret().iter().zip(text.chunks_exact_mut(2)) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    let write = || {
        let (draft, mut file) = Draft::create(path)?;
        file.write_all(text.as_slice())?;
        draft.publish(&file)
    };
    write().map_err(|source| failed(path, "create it", source))
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
