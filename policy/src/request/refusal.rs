//! Why a request is refused before any policy is asked.
use std::fmt;

use super::PathRule;

/// A closed set. [`Refusal::as_str`] is the word of metrics, audit, metadata and `spike explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The connection has no client certificate.
    PrincipalMissing,
    /// The principal is no SPIFFE ID by the letter of the specification.
    PrincipalInvalid,
    /// The principal is a bare trust domain: no workload.
    PrincipalWithoutPath,
    /// The principal's trust domain is not in the allow-list.
    TrustDomainNotAllowed,
    /// The rules ask for the peer's certificate and the proxy did not send it.
    PeerCertificateMissing,
    /// The peer's certificate does not hold exactly one URI, equal to the principal.
    PeerCertificateMismatch,
    /// XFCC is the source of identities, and there is none.
    XfccMissing,
    /// XFCC that does not parse.
    XfccInvalid,
    /// XFCC with more than one element or header.
    XfccElements,
    /// XFCC whose element has no URI, or several.
    XfccUris,
    /// XFCC in its text form, with something after the URI that may be the tail of a longer URI.
    XfccUriNotLast,
    /// The principal and XFCC name two identities, and the principal is no named proxy.
    XfccDisagrees,
    /// Neither HTTP attributes nor a connection.
    RequestMissing,
    /// No method.
    MethodMissing,
    /// A method without a permission in the table.
    MethodUnknown,
    /// A gRPC request whose method is not POST or whose path is not `/service/method`.
    GrpcShape,
    /// No path.
    PathMissing,
    /// A path that does not begin with `/`.
    PathNotAbsolute,
    /// The path `/` on a route without a prefix: nothing is left to match.
    PathRoot,
    /// Over 8,192 bytes.
    PathTooLong,
    /// A blank or a control character.
    PathControl,
    /// A byte of 0x80 or above.
    PathNotAscii,
    /// A `!` in a path of which only the cooked form was sent.
    PathLossy,
    /// The raw and the cooked path differ.
    PathDisagrees,
    /// One of the switchable rules.
    Path(PathRule),
    /// `spike.path-prefix` is not a plain path without outer slashes.
    HintPathPrefix,
    /// `spike.permission` is none of the five words.
    HintPermission,
    /// A connection with neither SNI nor a listener's name.
    ConnectionUnnamed,
    /// An SNI or a listener's name with other characters than letters, digits, dots, dashes and underscores.
    ConnectionNameInvalid,
}

impl Refusal {
    /// Every refusal, for tables and tests.
    pub fn all() -> impl Iterator<Item = Self> {
        PLAIN.into_iter().chain(PathRule::ALL.into_iter().map(Self::Path))
    }

    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrincipalMissing => "principal_missing",
            Self::PrincipalInvalid => "principal_invalid",
            Self::PrincipalWithoutPath => "principal_without_path",
            Self::TrustDomainNotAllowed => "trust_domain_not_allowed",
            Self::PeerCertificateMissing => "peer_certificate_missing",
            Self::PeerCertificateMismatch => "peer_certificate_mismatch",
            Self::XfccMissing => "xfcc_missing",
            Self::XfccInvalid => "xfcc_invalid",
            Self::XfccElements => "xfcc_elements",
            Self::XfccUris => "xfcc_uris",
            Self::XfccUriNotLast => "xfcc_uri_not_last",
            Self::XfccDisagrees => "xfcc_disagrees",
            Self::RequestMissing => "request_missing",
            Self::MethodMissing => "method_missing",
            Self::MethodUnknown => "method_unknown",
            Self::GrpcShape => "grpc_shape",
            Self::PathMissing => "path_missing",
            Self::PathNotAbsolute => "path_not_absolute",
            Self::PathRoot => "path_root",
            Self::PathTooLong => "path_too_long",
            Self::PathControl => "path_control",
            Self::PathNotAscii => "path_not_ascii",
            Self::PathLossy => "path_lossy",
            Self::PathDisagrees => "path_disagrees",
            Self::Path(rule) => rule.as_str(),
            Self::HintPathPrefix => "hint_path_prefix",
            Self::HintPermission => "hint_permission",
            Self::ConnectionUnnamed => "connection_unnamed",
            Self::ConnectionNameInvalid => "connection_name_invalid",
        }
    }

    /// The sentence a person sees: what is wrong and, where an operator can act, what to do.
    pub fn explain(self) -> &'static str {
        match self {
            Self::PrincipalMissing => {
                "the peer showed no certificate; set `require_client_certificate: true` on the listener"
            }
            Self::PrincipalInvalid => "the peer's principal is not a SPIFFE ID",
            Self::PrincipalWithoutPath => "the peer's SPIFFE ID is a trust domain without a path, so it is no workload",
            Self::TrustDomainNotAllowed => "the peer's trust domain is not in the list of allowed trust domains",
            Self::PeerCertificateMissing => {
                "the peer's certificate was not sent; set `include_peer_certificate: true` on the filter"
            }
            Self::PeerCertificateMismatch => {
                "the peer's certificate does not hold exactly one URI that equals the principal"
            }
            Self::XfccMissing => "identities come from XFCC, and the request has no x-forwarded-client-cert header",
            Self::XfccInvalid => "the x-forwarded-client-cert header does not parse",
            Self::XfccElements => "the x-forwarded-client-cert header has more than one element; use SANITIZE_SET",
            Self::XfccUris => "the x-forwarded-client-cert element does not hold exactly one URI",
            Self::XfccUriNotLast => {
                "something follows the URI in the x-forwarded-client-cert header, and it may belong to the URI; use \
                 `format: JSON`, or do not forward DNS names and issuer"
            }
            Self::XfccDisagrees => {
                "the principal and the x-forwarded-client-cert header name two identities, and the principal is not a \
                 named proxy"
            }
            Self::RequestMissing => "the check carries neither an HTTP request nor a connection",
            Self::MethodMissing => "the request has no method",
            Self::MethodUnknown => "the method has no permission in the table; add it or set `spike.permission`",
            Self::GrpcShape => "a gRPC request must be a POST to /service/method",
            Self::PathMissing => "the request has no path",
            Self::PathNotAbsolute => "the path does not begin with a slash",
            Self::PathRoot => "the path is `/` and the route has no `spike.path-prefix`, so nothing is left to match",
            Self::PathTooLong => "the path is longer than 8192 bytes",
            Self::PathControl => "the path has a blank or a control character",
            Self::PathNotAscii => "the path has a byte outside ASCII",
            Self::PathLossy => {
                "the path has a `!`, which may stand for other bytes; set `encode_raw_headers: true` on the filter and \
                 allow the header `:path`"
            }
            Self::PathDisagrees => "the raw and the cooked form of the path differ",
            Self::Path(rule) => rule.explain(),
            Self::HintPathPrefix => {
                "`spike.path-prefix` of the route is not a plain path without slashes at its ends, of at most 512 bytes"
            }
            Self::HintPermission => "`spike.permission` of the route is none of read, write, list, execute and super",
            Self::ConnectionUnnamed => "the connection has no SNI, and the configuration names no listener for it",
            Self::ConnectionNameInvalid => {
                "the connection's SNI or listener name has other characters than letters, digits, dots, dashes and \
                 underscores"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}

impl std::error::Error for Refusal {}

const PLAIN: [Refusal; 28] = [
    Refusal::PrincipalMissing,
    Refusal::PrincipalInvalid,
    Refusal::PrincipalWithoutPath,
    Refusal::TrustDomainNotAllowed,
    Refusal::PeerCertificateMissing,
    Refusal::PeerCertificateMismatch,
    Refusal::XfccMissing,
    Refusal::XfccInvalid,
    Refusal::XfccElements,
    Refusal::XfccUris,
    Refusal::XfccUriNotLast,
    Refusal::XfccDisagrees,
    Refusal::RequestMissing,
    Refusal::MethodMissing,
    Refusal::MethodUnknown,
    Refusal::GrpcShape,
    Refusal::PathMissing,
    Refusal::PathNotAbsolute,
    Refusal::PathRoot,
    Refusal::PathTooLong,
    Refusal::PathControl,
    Refusal::PathNotAscii,
    Refusal::PathLossy,
    Refusal::PathDisagrees,
    Refusal::HintPathPrefix,
    Refusal::HintPermission,
    Refusal::ConnectionUnnamed,
    Refusal::ConnectionNameInvalid,
];
