//! An authority on disk, so that it survives a restart.
//!
//! **Owns** three files per trust domain (`ca.crt`, `ca.key`, `jwt.key`; PEM, mode 0600). **Refuses** an expired or
//! foreign authority. **Invariant**: a file is replaced whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use spike_policy::TrustDomain;
use zeroize::Zeroizing;

use crate::authority::{Authority, IssueError, Stored};
use crate::text;

/// Why an authority cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` does not hold the PEM block that it should", .0.display())]
    Pem(PathBuf),
    /// The authority itself.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// The directory that holds authorities.
#[derive(Clone, Debug)]
pub(crate) struct Keep(pub(crate) PathBuf);

impl Keep {
    /// The stored authority of a trust domain; `None` when there is none, or it has expired.
    pub(crate) fn load(&self, trust_domain: &TrustDomain, now: SystemTime) -> Result<Option<Authority>, KeepError> {
        let [certificate, key, jwt_key] = self.files(trust_domain);
        if !certificate.exists() {
            return Ok(None);
        }
        let stored = Stored {
            certificate: CertificateDer::from_pem_slice(&read(&certificate)?)
                .map_err(|_| KeepError::Pem(certificate))?,
            key: private_key(&key)?,
            jwt_key: private_key(&jwt_key)?,
        };
        let authority = Authority::load(trust_domain, stored)?;
        Ok((authority.anchor().not_after > now).then_some(authority))
    }

    pub(crate) fn save(&self, trust_domain: &TrustDomain, authority: &Authority) -> Result<(), KeepError> {
        let [certificate, key, jwt_key] = self.files(trust_domain);
        let directory = self.0.join(trust_domain.as_str());
        let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        created.map_err(|source| KeepError::File {
            path: directory,
            source,
        })?;
        let stored = authority.stored();
        // The certificate last: it is what `load` looks for.
        write(&key, &Zeroizing::new(text::encode(text::PRIVATE_KEY, &stored.key)))?;
        write(
            &jwt_key,
            &Zeroizing::new(text::encode(text::PRIVATE_KEY, &stored.jwt_key)),
        )?;
        write(&certificate, &text::encode(text::CERTIFICATE, &stored.certificate))
    }

    fn files(&self, trust_domain: &TrustDomain) -> [PathBuf; 3] {
        let directory = self.0.join(trust_domain.as_str());
        ["ca.crt", "ca.key", "jwt.key"].map(|name| directory.join(name))
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeepError> {
    fs::read(path).map(Zeroizing::new).map_err(|source| KeepError::File {
        path: path.to_owned(),
        source,
    })
}

fn private_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeepError> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(&read(path)?).map_err(|_| KeepError::Pem(path.to_owned()))?;
    Ok(Zeroizing::new(key.secret_pkcs8_der().to_vec()))
}

fn write(path: &Path, text: &str) -> Result<(), KeepError> {
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|source| KeepError::File {
        path: path.to_owned(),
        source,
    })
}
