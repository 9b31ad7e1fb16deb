//! The messages of the SPIFFE Workload API.
//!
//! **Source**: <https://github.com/spiffe/spiffe/blob/main/standards/workloadapi.proto>. Private keys pass through here,
//! so the messages that hold one do not show it in their `Debug` form.

use std::collections::BTreeMap;
use std::fmt;

/// `X509SVIDRequest`
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct X509SvidRequest {}

/// `X509SVIDResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) svids: Vec<X509Svid>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) crl: Vec<Vec<u8>>,
    /// By trust domain ID.
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub(crate) federated_bundles: BTreeMap<String, Vec<u8>>,
}

/// `X509SVID`
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct X509Svid {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    /// `x509_svid`: leaf first, DER.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) chain: Vec<u8>,
    /// `x509_svid_key`: PKCS#8, DER.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) bundle: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) hint: String,
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Svid")
            .field("spiffe_id", &self.spiffe_id)
            .finish_non_exhaustive()
    }
}

/// `X509BundlesRequest`
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct X509BundlesRequest {}

/// `X509BundlesResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509BundlesResponse {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) crl: Vec<Vec<u8>>,
    /// By trust domain ID.
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub(crate) bundles: BTreeMap<String, Vec<u8>>,
}

/// `JWTSVIDRequest`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    pub(crate) audience: Vec<String>,
    #[prost(string, tag = "2")]
    pub(crate) spiffe_id: String,
}

/// `JWTSVIDResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) svids: Vec<JwtSvid>,
}

/// `JWTSVID`
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct JwtSvid {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    /// A bearer token.
    #[prost(string, tag = "2")]
    pub(crate) svid: String,
    #[prost(string, tag = "3")]
    pub(crate) hint: String,
}

impl fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSvid")
            .field("spiffe_id", &self.spiffe_id)
            .finish_non_exhaustive()
    }
}

/// `JWTBundlesRequest`
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct JwtBundlesRequest {}

/// `JWTBundlesResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtBundlesResponse {
    /// JWKS documents by trust domain ID.
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub(crate) bundles: BTreeMap<String, Vec<u8>>,
}

/// `ValidateJWTSVIDRequest`
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct ValidateJwtSvidRequest {
    #[prost(string, tag = "1")]
    pub(crate) audience: String,
    /// A bearer token.
    #[prost(string, tag = "2")]
    pub(crate) svid: String,
}

impl fmt::Debug for ValidateJwtSvidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateJwtSvidRequest")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// `ValidateJWTSVIDResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ValidateJwtSvidResponse {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) claims: Option<prost_types::Struct>,
}
