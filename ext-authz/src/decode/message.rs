//! The parts of an `envoy.service.auth.v3.CheckRequest` that a verdict is made of, borrowed from its bytes.
//!
//! **Owns** field numbers. **Refuses** to look at what no verdict needs: bodies, other headers, labels, metadata and
//! addresses are stepped over, so their size costs nothing and their content cannot matter. **Invariant**: what two
//! readers could disagree about (a repeated single-valued header) is marked as repeated, never silently chosen.
//!
//! Source: envoy `api/envoy/service/auth/v3/attribute_context.proto`; where a field is sent twice the last one counts
//! and messages merge, as every protobuf reader does.
use super::fields::{Fields, Undecodable, Value};

/// A header that must not occur twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Header<'a> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent once.
    Once(&'a [u8]),
    /// Sent more than once: which one counts is anybody's guess.
    Repeated,
}

impl<'a> Header<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// The value, when it was sent exactly once.
    pub(crate) fn once(self) -> Option<&'a [u8]> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Repeated => None,
        }
    }
}

impl<'a> Header<'a> {
    /// Every value where it matters whether there are several: the first so many of these.
    pub(crate) fn all(self) -> ([&'a [u8]; 2], usize) {
        match self {
            Self::Absent => ([b"", b""], 0),
            Self::Once(value) => ([value, b""], 1),
            Self::Repeated => ([b"", b""], 2),
        }
    }
}

/// What Envoy says about one request or connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// `source.principal`: first URI SAN, else DNS SAN, else subject; empty when there was no certificate.
    pub(crate) principal: &'a [u8],
    /// `source.certificate`: percent-encoded PEM of the leaf; empty unless `include_peer_certificate` is set.
    pub(crate) certificate: &'a [u8],
    /// `request.http`; absent for a connection (network filter).
    pub(crate) http: Option<Http<'a>>,
    /// What the operator wrote beside the route.
    pub(crate) extensions: Extensions<'a>,
    /// `tls_session.sni`, empty unless `include_tls_session` is set.
    pub(crate) sni: &'a [u8],
    /// `destination.service`: the network filter puts the SNI there too.
    pub(crate) destination_service: &'a [u8],
}

/// `context_extensions`, of which three are ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a> {
    /// `spike.path-prefix`
    pub(crate) path_prefix: Option<&'a [u8]>,
    /// `spike.permission`
    pub(crate) permission: Option<&'a [u8]>,
    /// `spike.listener`
    pub(crate) listener: Option<&'a [u8]>,
}

/// `request.http`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Http<'a> {
    /// `method`
    pub(crate) method: &'a [u8],
    /// `path`: with its query; raw bytes that are no UTF-8 are shown as `!`.
    pub(crate) path: &'a [u8],
    /// The header `:path` of `header_map` (`encode_raw_headers`): what the upstream will get.
    pub(crate) raw_path: Header<'a>,
    /// `x-forwarded-client-cert`
    pub(crate) xfcc: Header<'a>,
    /// `content-type`
    pub(crate) content_type: Header<'a>,
    /// `x-request-id`
    pub(crate) request_id: Header<'a>,
}

impl<'a> Message<'a> {
    /// Reads a whole `CheckRequest`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Undecodable> {
        let mut message = Self::default();
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            if number == 1 {
                message.attributes(value.bytes()?)?;
            }
        }
        Ok(message)
    }

    fn attributes(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.source(value.bytes()?)?,
                2 => self.destination(value.bytes()?)?,
                4 => self.request(value.bytes()?)?,
                10 => self.extension(value.bytes()?)?,
                12 => self.tls_session(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn source(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                4 => self.principal = value.text()?,
                5 => self.certificate = value.text()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn request(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            if number == 2 {
                self.http.get_or_insert_default().read(value.bytes()?)?;
            }
        }
        Ok(())
    }

    fn destination(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            if number == 2 {
                self.destination_service = value.text()?;
            }
        }
        Ok(())
    }

    fn extension(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let (key, value) = entry(bytes)?;
        let known = match key {
            b"spike.path-prefix" => &mut self.extensions.path_prefix,
            b"spike.permission" => &mut self.extensions.permission,
            b"spike.listener" => &mut self.extensions.listener,
            // A misspelt hint must not be taken for none: without its prefix a route would ask for another path.
            other if other.starts_with(b"spike.") => {
                return Err(Undecodable {
                    rule: "an unknown spike.* extension",
                });
            }
            _ => return Ok(()),
        };
        *known = Some(value.text()?);
        Ok(())
    }

    fn tls_session(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            if number == 1 {
                self.sni = value.text()?;
            }
        }
        Ok(())
    }
}

impl<'a> Http<'a> {
    fn read(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                2 => self.method = value.text()?,
                3 => self.header(value.bytes()?)?,
                4 => self.path = value.text()?,
                13 => self.header_map(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// `headers`: lower-cased, repeats already joined with a comma by Envoy. Its `:path` says no more than `path`.
    fn header(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let (key, value) = entry(bytes)?;
        if let Some(header) = self.named(key) {
            header.add(value.text()?);
        }
        Ok(())
    }

    /// `header_map`: every header line on its own, raw.
    fn header_map(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            if number == 1 {
                self.header_value(value.bytes()?)?;
            }
        }
        Ok(())
    }

    fn header_value(&mut self, bytes: &'a [u8]) -> Result<(), Undecodable> {
        let (mut key, mut value, mut raw) = (&b""[..], &b""[..], &b""[..]);
        let mut fields = Fields::of(bytes);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => key = field.text()?,
                2 => value = field.bytes()?,
                3 => raw = field.bytes()?,
                _ => {}
            }
        }
        let sent = if raw.is_empty() { value } else { raw };
        if key.eq_ignore_ascii_case(b":path") {
            if self.raw_path != Header::Absent {
                return Err(Undecodable {
                    rule: "two :path headers",
                });
            }
            self.raw_path.add(sent);
        } else if let Some(header) = self.named(key) {
            header.add(sent);
        }
        Ok(())
    }

    fn named(&mut self, key: &[u8]) -> Option<&mut Header<'a>> {
        match key.len() {
            12 if key.eq_ignore_ascii_case(b"content-type") => Some(&mut self.content_type),
            12 if key.eq_ignore_ascii_case(b"x-request-id") => Some(&mut self.request_id),
            23 if key.eq_ignore_ascii_case(b"x-forwarded-client-cert") => Some(&mut self.xfcc),
            _ => None,
        }
    }
}

/// A map entry: its key and its value, unread.
fn entry(bytes: &[u8]) -> Result<(&[u8], Value<'_>), Undecodable> {
    let (mut key, mut value) = (&b""[..], Value::Bytes(b""));
    let mut fields = Fields::of(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => key = field.bytes()?,
            2 => value = field,
            _ => {}
        }
    }
    Ok((key, value))
}
