//! What an SDS name stands for.
//!
//! **Owns** the names, as a SPIRE agent has them, and the resources behind them. **Refuses** a name that the caller has
//! no right to, by saying which. **Invariant**: the `Secret` inside a resource bears the name that was asked for, or
//! Envoy would take it and silently ignore it.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::config::core::v3::{DataSource, Node, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::spiffe_cert_validator_config::TrustDomain;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, SpiffeCertValidatorConfig, TlsCertificate,
};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::util::pack_any;
use tonic::Status;

use crate::domain::Bundle;
use crate::roster::{Holder, Snapshot};
use crate::text;

/// The type of every resource.
pub(super) const TYPE_URL: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// The caller's first SVID.
const DEFAULT: &str = "default";
/// The bundle of the caller's own trust domain.
const ROOT_CA: &str = "ROOTCA";
/// All bundles, each for its own trust domain only.
const ALL: &str = "ALL";

/// How a bundle is handed to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validator {
    /// Envoy's SPIFFE validator (1.18 and later): one bundle per trust domain, exactly one SPIFFE ID per certificate.
    Spiffe,
    /// Plain CA certificates, for clients that do not say they are such an Envoy.
    PlainCa,
}

impl Validator {
    /// SPIRE's rule: by the version in the node, unless the node's metadata switches it off.
    pub(super) fn for_node(node: Option<&Node>) -> Self {
        let Some(node) = node else { return Self::PlainCa };
        let off = node
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.fields.get("disable_spiffe_cert_validation"));
        let off = off.is_some_and(|value| value.kind == Some(Kind::BoolValue(true)));
        let version = match &node.user_agent_version_type {
            Some(UserAgentVersionType::UserAgentBuildVersion(build)) => build.version.as_ref(),
            Some(UserAgentVersionType::UserAgentVersion(_)) | None => None,
        };
        let knows = version.is_some_and(|version| (version.major_number, version.minor_number) >= (1, 18));
        if knows && !off { Self::Spiffe } else { Self::PlainCa }
    }
}

/// The resources behind names, and their version: a hash of their content.
pub(super) struct Resources {
    pub(super) resources: Vec<Any>,
    pub(super) version: String,
}

/// Builds what a caller asked for; no names at all means everything it may have, as with SPIRE.
pub(super) fn build(
    snapshot: &Snapshot,
    holders: &[&Holder],
    names: &BTreeSet<String>,
    validator: Validator,
) -> Result<Resources, Status> {
    let everything = all_names(snapshot, holders);
    let wanted = if names.is_empty() { &everything } else { names };
    let mut unknown = Vec::new();
    let mut resources = Vec::new();
    for name in wanted {
        match secret_type(snapshot, holders, name, validator) {
            Some(kind) => resources.push(pack_any(Secret {
                name: name.clone(),
                r#type: Some(kind),
            })),
            None => unknown.push(name.as_str()),
        }
    }
    if !unknown.is_empty() {
        let text = format!("workload is not authorized for the requested identities {unknown:?}");
        return Err(Status::invalid_argument(text));
    }
    let bytes: Vec<u8> = resources
        .iter()
        .flat_map(|resource| resource.value.iter().copied())
        .collect();
    let version = digest(&SHA256, &bytes)
        .as_ref()
        .get(..12)
        .map(text::hex)
        .unwrap_or_default();
    Ok(Resources { resources, version })
}

fn all_names(snapshot: &Snapshot, holders: &[&Holder]) -> BTreeSet<String> {
    let ids = holders.iter().map(|holder| holder.entry.spiffe_id.to_string());
    let domains = snapshot.bundles.keys().map(|domain| format!("spiffe://{domain}"));
    ids.chain(domains)
        .chain([DEFAULT, ROOT_CA, ALL].map(str::to_owned))
        .collect()
}

fn secret_type(snapshot: &Snapshot, holders: &[&Holder], name: &str, validator: Validator) -> Option<Type> {
    let default = holders.first()?;
    let own_domain = default.entry.spiffe_id.trust_domain();
    match name {
        DEFAULT => Some(certificate(default)),
        ROOT_CA => Some(one_domain(own_domain, snapshot.bundle(own_domain)?, validator)),
        ALL => Some(all_domains(snapshot)),
        name => {
            let held = holders.iter().find(|holder| holder.entry.spiffe_id.as_str() == name);
            held.map(|holder| certificate(holder)).or_else(|| {
                let domain = name.strip_prefix("spiffe://")?;
                Some(one_domain(domain, snapshot.bundle(domain)?, validator))
            })
        }
    }
}

fn certificate(holder: &Holder) -> Type {
    let chain = text::certificates(holder.svid.chain.iter().map(AsRef::as_ref));
    Type::TlsCertificate(TlsCertificate {
        certificate_chain: Some(inline(chain)),
        private_key: Some(inline(text::encode(text::PRIVATE_KEY, &holder.svid.key))),
        ..TlsCertificate::default()
    })
}

fn one_domain(name: &str, bundle: &Bundle, validator: Validator) -> Type {
    match validator {
        Validator::Spiffe => spiffe(vec![trust_domain(name, bundle)]),
        Validator::PlainCa => Type::ValidationContext(CertificateValidationContext {
            trusted_ca: Some(inline(roots(bundle))),
            ..CertificateValidationContext::default()
        }),
    }
}

fn all_domains(snapshot: &Snapshot) -> Type {
    spiffe(
        snapshot
            .bundles
            .iter()
            .map(|(name, bundle)| trust_domain(name.as_str(), bundle))
            .collect(),
    )
}

fn spiffe(trust_domains: Vec<TrustDomain>) -> Type {
    let config = SpiffeCertValidatorConfig {
        trust_domains,
        ..SpiffeCertValidatorConfig::default()
    };
    Type::ValidationContext(CertificateValidationContext {
        custom_validator_config: Some(TypedExtensionConfig {
            name: "envoy.tls.cert_validator.spiffe".to_owned(),
            typed_config: Some(pack_any(config)),
        }),
        ..CertificateValidationContext::default()
    })
}

fn trust_domain(name: &str, bundle: &Bundle) -> TrustDomain {
    TrustDomain {
        name: name.to_owned(),
        trust_bundle: Some(inline(roots(bundle))),
        ..TrustDomain::default()
    }
}

fn roots(bundle: &Bundle) -> String {
    text::certificates(bundle.x509.iter().map(AsRef::as_ref))
}

fn inline(text: String) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineBytes(text.into_bytes())),
        watched_directory: None,
    }
}
