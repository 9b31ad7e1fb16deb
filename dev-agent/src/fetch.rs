//! A caller's own X.509-SVID as PEM files, for tools that read files: curl, openssl.
//!
//! **Owns** one call of the Workload API, of this agent or of a real one, and the files. **Refuses** an answer without
//! an SVID. **Invariant**: the key file is readable by its owner only.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use zeroize::Zeroizing;

use crate::text;
use crate::workload::{FETCH_X509_SVID, HEADER, X509SvidRequest, X509SvidResponse};

/// An X.509-SVID as PEM text.
pub struct Fetched {
    /// The SPIFFE ID.
    pub spiffe_id: String,
    /// Leaf first.
    pub chain: String,
    /// PKCS#8.
    pub key: Zeroizing<String>,
    /// The authorities of its trust domain.
    pub bundle: String,
}

/// Why there is no SVID.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answers there.
    #[error("cannot reach the Workload API at `{}`", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The agent refuses.
    #[error("the agent gives no identity: {0}")]
    Refused(String),
    /// The answer cannot be read.
    #[error("the agent's answer holds no SVID that can be read")]
    Answer,
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// Asks the Workload API behind a socket for the caller's default X.509-SVID.
///
/// # Errors
/// [`FetchError`]
pub async fn fetch(socket: &Path) -> Result<Fetched, FetchError> {
    let failed = |source| FetchError::Connect {
        socket: socket.to_owned(),
        source,
    };
    let endpoint = Endpoint::try_from(format!("unix://{}", socket.display())).map_err(failed)?;
    let mut client = Grpc::new(endpoint.connect().await.map_err(failed)?);
    let refused = |status: Status| FetchError::Refused(status.message().to_owned());
    client.ready().await.map_err(failed)?;
    let mut request = Request::new(X509SvidRequest {});
    request
        .metadata_mut()
        .insert(HEADER, MetadataValue::from_static("true"));
    let codec: ProstCodec<X509SvidRequest, X509SvidResponse> = ProstCodec::default();
    let answer = client
        .server_streaming(request, PathAndQuery::from_static(FETCH_X509_SVID), codec)
        .await;
    let answer = answer.map_err(refused)?.into_inner().message().await.map_err(refused)?;
    let svid = answer
        .and_then(|answer| answer.svids.into_iter().next())
        .ok_or(FetchError::Answer)?;
    Ok(Fetched {
        chain: certificates(&svid.chain)?,
        key: Zeroizing::new(text::encode(text::PRIVATE_KEY, &Zeroizing::new(svid.key))),
        bundle: certificates(&svid.bundle)?,
        spiffe_id: svid.spiffe_id,
    })
}

impl Fetched {
    /// Writes `svid.pem`, `key.pem` (mode 0600) and `bundle.pem` into a directory, which is made when missing.
    ///
    /// # Errors
    /// [`FetchError::File`]
    pub fn write(&self, directory: &Path) -> Result<(), FetchError> {
        let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        created.map_err(|source| FetchError::File {
            path: directory.to_owned(),
            source,
        })?;
        let files = [
            ("svid.pem", &self.chain, 0o644),
            ("key.pem", &*self.key, 0o600),
            ("bundle.pem", &self.bundle, 0o644),
        ];
        for (name, content, mode) in files {
            let path = directory.join(name);
            replace(&path, content, mode).map_err(|source| FetchError::File { path, source })?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetched")
            .field("spiffe_id", &self.spiffe_id)
            .finish_non_exhaustive()
    }
}

/// Certificates one after the other, from DER to PEM.
fn certificates(mut der: &[u8]) -> Result<String, FetchError> {
    let mut pem = String::new();
    while !der.is_empty() {
        let (rest, _) = x509_parser::parse_x509_certificate(der).map_err(|_| FetchError::Answer)?;
        let (one, _) = der.split_at(der.len() - rest.len());
        pem.push_str(&text::encode(text::CERTIFICATE, one));
        der = rest;
    }
    if pem.is_empty() {
        Err(FetchError::Answer)
    } else {
        Ok(pem)
    }
}

/// Writes beside the file and renames, so that a reader never sees half of it, nor a wider mode.
fn replace(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&fresh)?;
    file.write_all(content.as_bytes())?;
    fs::rename(&fresh, path)
}
