//! Walking over JSON text: one value at a time, without recursion and without a tree.
use zeroize::Zeroizing;

use super::{InvalidJson, MAX_DEPTH};

/// A place in JSON text.
#[derive(Debug)]
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Reads an object, handing each field to `field` as soon as its name is known. `field` must read or skip the
    /// value. `null` is an object without fields (the caller keeps what it has).
    pub fn fields(
        &mut self,
        mut field: impl FnMut(&str, &mut Self) -> Result<(), InvalidJson>,
    ) -> Result<(), InvalidJson> {
        if self.null()? {
            return Ok(());
        }
        self.open(b'{')?;
        if self.close(b'}')? {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            field(&name, self)?;
            if self.close(b'}')? {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Reads an array, calling `item` with each index. `item` must read or skip the value.
    pub fn items(
        &mut self,
        mut item: impl FnMut(usize, &mut Self) -> Result<(), InvalidJson>,
    ) -> Result<usize, InvalidJson> {
        self.open(b'[')?;
        if self.close(b']')? {
            return Ok(0);
        }
        let mut index = 0;
        loop {
            item(index, self)?;
            index += 1;
            if self.close(b']')? {
                return Ok(index);
            }
            self.expect(b',')?;
        }
    }

    /// Whether the next value is `null`, which is then consumed.
    pub fn null(&mut self) -> Result<bool, InvalidJson> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word(b"null").map(|()| true)
    }

    /// Whether the next value is a string.
    pub fn at_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Reads a string: bytes that are no UTF-8 and lone surrogates become U+FFFD, one for each byte or escape.
    pub fn string(&mut self) -> Result<Zeroizing<String>, InvalidJson> {
        let at = self.at;
        if !self.at_string() {
            return Err(InvalidJson::Type(at));
        }
        let start = self.at + 1;
        self.skip_string()?;
        let raw = self.text.get(start..self.at.saturating_sub(1)).unwrap_or_default();
        unquote(raw).ok_or(InvalidJson::Syntax(start))
    }

    /// Reads a whole number as Go reads it into an `int`: no fraction, no exponent, within 64 bits.
    pub fn integer(&mut self) -> Result<i64, InvalidJson> {
        let at = self.at;
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(InvalidJson::Type(at));
        }
        let start = self.at;
        self.skip_number()?;
        let digits = self.text.get(start..self.at).and_then(|d| std::str::from_utf8(d).ok());
        digits.and_then(|d| d.parse().ok()).ok_or(InvalidJson::Type(start))
    }

    /// Skips one whole value of any kind, checking its syntax.
    pub fn skip(&mut self) -> Result<(), InvalidJson> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            if self.skip_until_scalar_ends(&mut open)? {
                continue;
            }
            // A value has just ended: close what ends with it, or go on to the next element.
            loop {
                let Some(&closer) = open.last() else { return Ok(()) };
                if !self.close(closer)? {
                    self.expect(b',')?;
                    if closer == b'}' {
                        self.skip_name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Checks that only white space is left.
    pub fn end(&mut self) -> Result<(), InvalidJson> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(InvalidJson::Syntax(self.at)),
        }
    }

    /// Skips a scalar or enters a container; true when a non-empty container was entered.
    fn skip_until_scalar_ends(&mut self, open: &mut Vec<u8>) -> Result<bool, InvalidJson> {
        let (opener, closer) = match self.peek() {
            Some(b'{') => (b'{', b'}'),
            Some(b'[') => (b'[', b']'),
            Some(b'"') => return self.skip_string().map(|()| false),
            Some(b't') => return self.word(b"true").map(|()| false),
            Some(b'f') => return self.word(b"false").map(|()| false),
            Some(b'n') => return self.word(b"null").map(|()| false),
            Some(b'-' | b'0'..=b'9') => return self.skip_number().map(|()| false),
            Some(_) | None => return Err(InvalidJson::Syntax(self.at)),
        };
        self.expect(opener)?;
        if open.len() >= MAX_DEPTH {
            return Err(InvalidJson::Depth);
        }
        if self.close(closer)? {
            return Ok(false);
        }
        open.push(closer);
        if closer == b'}' {
            self.skip_name()?;
        }
        Ok(true)
    }

    fn skip_name(&mut self) -> Result<(), InvalidJson> {
        if !self.at_string() {
            return Err(InvalidJson::Syntax(self.at));
        }
        self.skip_string()?;
        self.expect(b':')
    }

    fn skip_string(&mut self) -> Result<(), InvalidJson> {
        self.expect(b'"')?;
        loop {
            let byte = self.take().ok_or(InvalidJson::Syntax(self.at))?;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.skip_escape()?,
                0..=0x1f => return Err(InvalidJson::Syntax(self.at)),
                _ => {}
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), InvalidJson> {
        match self.take() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                for _ in 0..4 {
                    if !self.take().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(InvalidJson::Syntax(self.at));
                    }
                }
                Ok(())
            }
            Some(_) | None => Err(InvalidJson::Syntax(self.at)),
        }
    }

    fn skip_number(&mut self) -> Result<(), InvalidJson> {
        if self.raw() == Some(b'-') {
            self.at += 1;
        }
        match self.take() {
            Some(b'0') => {}
            Some(b'1'..=b'9') => self.skip_digits(),
            Some(_) | None => return Err(InvalidJson::Syntax(self.at)),
        }
        if self.raw() == Some(b'.') {
            self.at += 1;
            self.at_least_one_digit()?;
        }
        if matches!(self.raw(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.raw(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.at_least_one_digit()?;
        }
        Ok(())
    }

    fn at_least_one_digit(&mut self) -> Result<(), InvalidJson> {
        if !self.raw().is_some_and(|b| b.is_ascii_digit()) {
            return Err(InvalidJson::Syntax(self.at));
        }
        self.skip_digits();
        Ok(())
    }

    fn skip_digits(&mut self) {
        while self.raw().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn open(&mut self, opener: u8) -> Result<(), InvalidJson> {
        let found = self.peek();
        if found != Some(opener) {
            return Err(InvalidJson::Type(self.at));
        }
        self.at += 1;
        Ok(())
    }

    fn close(&mut self, closer: u8) -> Result<bool, InvalidJson> {
        match self.peek() {
            Some(byte) if byte == closer => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(InvalidJson::Syntax(self.at)),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), InvalidJson> {
        if self.peek() != Some(byte) {
            return Err(InvalidJson::Syntax(self.at));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), InvalidJson> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(InvalidJson::Syntax(self.at));
        }
        self.at += word.len();
        Ok(())
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.raw(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.raw()
    }

    fn raw(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.raw()?;
        self.at += 1;
        Some(byte)
    }
}

/// The text between the quotes, read. `None` for an escape that is none (the syntax was checked before).
fn unquote(raw: &[u8]) -> Option<Zeroizing<String>> {
    // Reserve for the worst case, so that growing never leaves a copy of a secret behind.
    let worst = if std::str::from_utf8(raw).is_ok() {
        raw.len()
    } else {
        raw.len().saturating_mul(3)
    };
    let mut text = Zeroizing::new(String::with_capacity(worst));
    let mut rest = raw;
    while let Some(escape) = rest.iter().position(|&byte| byte == b'\\') {
        let (plain, escaped) = rest.split_at_checked(escape)?;
        push_lossy(&mut text, plain);
        let (character, used) = unescape(escaped)?;
        text.push(character);
        rest = escaped.get(used..)?;
    }
    push_lossy(&mut text, rest);
    Some(text)
}

fn push_lossy(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

fn unescape(escaped: &[u8]) -> Option<(char, usize)> {
    let character = match escaped.get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(escaped),
        &other => char::from(other),
    };
    Some((character, 2))
}

fn unescape_unicode(escaped: &[u8]) -> Option<(char, usize)> {
    let first = hex4(escaped)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, 6));
    }
    let second = escaped.get(6..).and_then(hex4);
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    Some(pair.map_or((char::REPLACEMENT_CHARACTER, 6), |character| (character, 12)))
}

fn hex4(escaped: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(escaped.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}
