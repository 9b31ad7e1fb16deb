//! Why a Check was denied: one closed set for metrics, audit, dynamic metadata and `spike explain`.
//!
//! **Owns** the words of the service's own refusals and the HTTP status of every reason. **Refuses** free text.
//! **Invariant**: every reason has one low-cardinality word and a status of 400 or above.
use spike_policy::DenyReason;
use spike_policy::request::Refusal;

/// Why the service itself could not or would not judge a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The message is no `CheckRequest`: garbage, invalid UTF-8, wrong wire types, broken gRPC framing.
    MessageUndecodable,
    /// The message is larger than `check.max_message`.
    MessageTooLarge,
    /// More Checks than `check.max_in_flight` are under way.
    Overloaded,
    /// The caller's `grpc-timeout` (or the read timeout) was over before the decision could be made.
    DeadlineExceeded,
    /// No policies have been loaded yet.
    PoliciesNotLoaded,
    /// The policy feed is silent for longer than `feed.max_age`.
    PoliciesStale,
    /// The last commit's outcome is unknown, so nobody knows which policies hold.
    PoliciesUnknown,
    /// The caller's SVID expired on a live connection.
    CallerExpired,
    /// The forwarded peer certificate cannot be read.
    CertificateUnreadable,
    /// The decision could not be recorded, and `audit.when_full` does not allow what leaves no trace.
    AuditUnavailable,
    /// The decision panicked. A defect of ours; the caller is denied.
    InternalPanic,
}

impl Fault {
    /// Every fault, in the order of metrics.
    pub const ALL: [Self; 11] = [
        Self::MessageUndecodable,
        Self::MessageTooLarge,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::PoliciesNotLoaded,
        Self::PoliciesStale,
        Self::PoliciesUnknown,
        Self::CallerExpired,
        Self::CertificateUnreadable,
        Self::AuditUnavailable,
        Self::InternalPanic,
    ];

    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageUndecodable => "message_undecodable",
            Self::MessageTooLarge => "message_too_large",
            Self::Overloaded => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::PoliciesNotLoaded => "policies_not_loaded",
            Self::PoliciesStale => "policies_stale",
            Self::PoliciesUnknown => "policies_unknown",
            Self::CallerExpired => "caller_expired",
            Self::CertificateUnreadable => "peer_certificate_unreadable",
            Self::AuditUnavailable => "audit_unavailable",
            Self::InternalPanic => "internal_panic",
        }
    }
}

/// Why a Check was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The policies do not allow it.
    Policy(DenyReason),
    /// The request cannot be read into an access without guessing.
    Request(Refusal),
    /// The service could not judge it.
    Service(Fault),
}

impl Reason {
    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy(reason) => reason.as_str(),
            Self::Request(refusal) => refusal.as_str(),
            Self::Service(fault) => fault.as_str(),
        }
    }

    /// The status that Envoy's client gets: 403 for a refusal, 503 where trying again can help, 500 for a defect.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Policy(_) | Self::Request(_) => 403,
            Self::Service(fault) => match fault {
                Fault::MessageUndecodable
                | Fault::MessageTooLarge
                | Fault::CallerExpired
                | Fault::CertificateUnreadable => 403,
                Fault::Overloaded
                | Fault::DeadlineExceeded
                | Fault::PoliciesNotLoaded
                | Fault::PoliciesStale
                | Fault::PoliciesUnknown
                | Fault::AuditUnavailable => 503,
                Fault::InternalPanic => 500,
            },
        }
    }
}
