//! `spike cipher …`
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;
use spike_sdk::Ciphertext;
use spike_wire::cipher::EncryptResponse;
use spike_wire::go_json::Base64Bytes;
use zeroize::Zeroizing;

use super::session::Session;
use crate::args::{CipherCommand, Decrypt, Encrypt};
use crate::failure::{Failure, Subject};
use crate::output::Output;

/// Bytes of an input that are read at most: JSON of the largest sealed text, and more than Nexus takes.
const MOST: u64 = 1 << 20;

/// Does a cipher command.
pub(super) fn run(command: CipherCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        CipherCommand::Encrypt(args) => encrypt(&args, output),
        CipherCommand::Decrypt(args) => decrypt(&args, output),
    }
}

fn encrypt(args: &Encrypt, output: &mut Output) -> Result<(), Failure> {
    let sealed = if let Some(text) = &args.plaintext {
        let text = base64("--plaintext", text)?;
        let session = Session::open()?;
        let cipher = session.client().cipher();
        let sealed = session.call(Subject::Cipher, cipher.encrypt(text.as_slice(), &args.algorithm))?;
        json(sealed)?
    } else {
        let text = input(args.file.as_deref())?;
        let session = Session::open()?;
        session.call(Subject::Cipher, session.client().cipher().seal(&text))?
    };
    write(args.out.as_deref(), &sealed, output)
}

fn decrypt(args: &Decrypt, output: &mut Output) -> Result<(), Failure> {
    let given = match (&args.nonce, &args.ciphertext) {
        (Some(nonce), Some(ciphertext)) => Given::Parts(Ciphertext {
            version: version(args.version.as_deref())?,
            nonce: base64("--nonce", nonce)?.as_slice().to_vec(),
            ciphertext: base64("--ciphertext", ciphertext)?.as_slice().to_vec(),
        }),
        (None, None) if args.version.is_none() => Given::read(args.file.as_deref())?,
        _ => return Err(Failure::Usage("--version needs --nonce and --ciphertext".to_owned())),
    };
    let session = Session::open()?;
    let cipher = session.client().cipher();
    let text = match given {
        Given::Piece(sealed) => session.call(Subject::Cipher, cipher.open(&sealed))?,
        Given::Parts(sealed) => session.call(Subject::Cipher, cipher.decrypt(&sealed, &args.algorithm))?,
    };
    write(args.out.as_deref(), &text, output)
}

/// A sealed text as it was found.
enum Given {
    /// In one piece.
    Piece(Zeroizing<Vec<u8>>),
    /// In parts.
    Parts(Ciphertext),
}

impl Given {
    /// A piece begins with its version, 1: what begins with a brace can only be our JSON.
    fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let bytes = input(file)?;
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Ok(Self::Piece(bytes));
        }
        let parts: Parts = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::data(format!(
                "this is neither what `cipher encrypt` writes nor its JSON: line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        Ok(Self::Parts(Ciphertext {
            version: parts.version,
            nonce: parts.nonce.as_slice().to_vec(),
            ciphertext: parts.ciphertext.as_slice().to_vec(),
        }))
    }
}

/// What [`json`] writes.
#[derive(Deserialize)]
struct Parts {
    version: u8,
    nonce: Base64Bytes,
    ciphertext: Base64Bytes,
}

fn json(sealed: Ciphertext) -> Result<Vec<u8>, Failure> {
    let answer = EncryptResponse {
        version: sealed.version,
        nonce: Some(Base64Bytes::new(sealed.nonce)),
        ciphertext: Some(Base64Bytes::new(sealed.ciphertext)),
        err: None,
    };
    let mut text =
        serde_json::to_vec_pretty(&answer).map_err(|_| Failure::System("the result is no JSON".to_owned()))?;
    text.push(b'\n');
    Ok(text)
}

fn version(flag: Option<&str>) -> Result<u8, Failure> {
    let text = flag.unwrap_or("1");
    text.parse()
        .map_err(|_| Failure::Usage(format!("Invalid version: {text}")))
}

fn base64(flag: &str, text: &str) -> Result<Base64Bytes, Failure> {
    // What was typed may be the secret itself, so it is not repeated.
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| Failure::data(format!("{flag}: this is not padded base64")))
}

fn input(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let named = |path: &Path, error: io::Error| Failure::data(format!("{}: {error}", path.display()));
    match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            let file = fs::File::open(path).map_err(|error| named(path, error))?;
            bounded(file).map_err(|error| named(path, error))
        }
        None => bounded(io::stdin().lock()).map_err(|error| named(Path::new("standard input"), error)),
    }
}

fn bounded(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST) {
        Ok(bytes)
    } else {
        Err(io::Error::other(format!("larger than {MOST} bytes")))
    }
}

/// Nothing is written, and no file touched, before there is a result.
fn write(file: Option<&Path>, bytes: &[u8], output: &mut Output) -> Result<(), Failure> {
    let Some(path) = file.filter(|path| path.as_os_str() != "-") else {
        return Ok(output.bytes(bytes)?);
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| Failure::System(format!("{}: {error}", path.display())))
}
