//! Shards as people have them: lines of `spike:<number>:<64 hexadecimal digits>`, in files or typed.
use std::fs;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use spike_wire::go_json::Shard;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output::Output;

/// Characters of a line that are read at most: more than any shard has.
const MOST: u64 = 4096;
/// Bytes of a file that are read at most: more than a thousand shards.
const MOST_OF_A_FILE: u64 = 1 << 20;

/// A shard with its number.
pub(super) struct Numbered {
    pub(super) id: i64,
    pub(super) shard: Shard,
}

/// The shards of these files, in order; with no file, one that is asked for.
pub(super) fn read(files: &[PathBuf], output: &mut Output) -> Result<Vec<Numbered>, Failure> {
    if files.is_empty() {
        return Ok(vec![parse(&ask(output)?)?]);
    }
    let mut shards = Vec::new();
    for file in files {
        let text = contents(file).map_err(|error| Failure::System(format!("{}: {error}", file.display())))?;
        let before = shards.len();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            shards.push(parse(line)?);
        }
        if shards.len() == before {
            return Err(Failure::data(format!("{}: there is no shard in it", file.display())));
        }
    }
    Ok(shards)
}

fn contents(file: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(8192));
    if file.as_os_str() == "-" {
        io::stdin().lock().take(MOST_OF_A_FILE).read_to_string(&mut text)?;
    } else {
        fs::File::open(file)?.take(MOST_OF_A_FILE).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// SPIKE's prompt. What is typed at a terminal is not shown; from elsewhere it is one line of standard input, unasked.
fn ask(output: &mut Output) -> Result<Zeroizing<String>, Failure> {
    let asks = io::stdin().is_terminal();
    if asks {
        output.line("(your input will be hidden as you paste/type it)")?;
        output.prompt("Enter recovery shard: ")?;
    }
    let hidden = Hidden::begin();
    let mut line = Zeroizing::new(String::with_capacity(256));
    let read = io::stdin().lock().take(MOST).read_line(&mut line);
    drop(hidden);
    if asks {
        output.line("")?;
    }
    match read {
        Ok(0) => Err(Failure::Usage("there was no shard on standard input".to_owned())),
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::System(format!("standard input: {error}"))),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Option<Termios>);

impl Hidden {
    fn begin() -> Self {
        let input = io::stdin();
        if !input.is_terminal() {
            return Self(None);
        }
        let before = tcgetattr(&input).ok();
        if let Some(mut silent) = before.clone() {
            silent.local_modes.remove(LocalModes::ECHO);
            // At worst it is seen.
            tcsetattr(&input, OptionalActions::Flush, &silent).unwrap_or_default();
        }
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            tcsetattr(io::stdin(), OptionalActions::Flush, before).unwrap_or_default();
        }
    }
}

/// The errors are SPIKE's; none repeats what should be secret.
fn parse(line: &str) -> Result<Numbered, Failure> {
    let mut parts = line.trim().splitn(3, ':');
    let (Some(_), Some(id), Some(hex)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Failure::data("Invalid shard format."));
    };
    let id = id.parse().map_err(|_| Failure::data("Invalid shard index."))?;
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::data("Failed to decode recovery shard."));
    }
    let length = hex.len() / 2;
    if length != 32 {
        return Err(Failure::data(format!("Invalid shard length: {length} (expected 32).")));
    }
    let mut bytes = Zeroizing::new([0; 32]);
    let digits = |pair: &[u8]| {
        pair.iter()
            .filter_map(|digit| char::from(*digit).to_digit(16))
            .fold(0, |byte, digit| (byte << 4) | u8::try_from(digit).unwrap_or(0))
    };
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = digits(pair);
    }
    Ok(Numbered {
        id,
        shard: Shard::new(*bytes),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_shard_is_read_and_every_wrong_one_refused_without_repeating_it() {
        let hex = "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0102030405";
        let read = parse(&format!(" spike:7:{hex}\n")).unwrap_or_else(|_| unreachable!());
        assert_eq!(
            (read.id, read.shard.as_bytes()[0], read.shard.as_bytes()[31]),
            (7, 1, 5)
        );
        for (line, expected) in [
            ("", "Invalid shard format."),
            ("spike:1", "Invalid shard format."),
            ("spike:one:00", "Invalid shard index."),
            ("spike:1:0", "Failed to decode recovery shard."),
            ("spike:1:zz", "Failed to decode recovery shard."),
            ("spike:1:0011", "Invalid shard length: 2 (expected 32)."),
            (&format!("spike:1:{hex}00"), "Invalid shard length: 33 (expected 32)."),
        ] {
            let failure = parse(line).err().unwrap();
            assert_eq!(failure.text(), format!("Error: {expected}\n"), "{line}");
        }
    }
}
