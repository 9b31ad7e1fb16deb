//! The two ends of a migration, and who we are to each.
use std::time::Duration;

use spike_policy::TrustRoots;
use spike_sdk::{Client, ConnectError, Error, Identity, Settings, Timeouts};

use crate::args::Migrate;
use crate::failure::Failure;

/// An official Nexus decrypts its whole store before it answers a list.
const PATIENCE: Duration = Duration::from_secs(300);

/// A client of each end.
pub(super) struct Ends {
    pub(super) source: Client,
    pub(super) target: Client,
}

impl Ends {
    pub(super) async fn connect(from: &Settings, to: &Settings) -> Result<Self, Failure> {
        let source = identity(from).await?;
        let target = if from.workload_api == to.workload_api {
            source.clone()
        } else {
            identity(to).await?
        };
        Ok(Self {
            source: Client::new(from, source),
            target: Client::new(to, target),
        })
    }

    pub(super) fn source_failed(&self, error: Error) -> Failure {
        let whose = format!("the source, {}", self.source.nexus_url());
        Failure::Remote { whose, error }
    }

    pub(super) fn target_failed(&self, error: Error) -> Failure {
        let whose = format!("the target, {}", self.target.nexus_url());
        Failure::Remote { whose, error }
    }
}

async fn identity(settings: &Settings) -> Result<Identity, Failure> {
    let identity = Identity::from_workload_api(settings.workload_api.as_deref(), settings.svid_wait).await;
    identity.map_err(|error| Failure::Connect(ConnectError::Identity(error)))
}

/// What the flags say about each end, and the environment where they say nothing.
pub(super) fn settings(args: &Migrate) -> Result<(Settings, Settings), Failure> {
    if args.from == args.to {
        return Err(Failure::Usage("--from and --to are the same Nexus".to_owned()));
    }
    let base = Settings::from_environment().map_err(|faults| Failure::Connect(ConnectError::Environment(faults)))?;
    let timeouts = Timeouts {
        response_header: base.timeouts.response_header.max(PATIENCE),
        total: base.timeouts.total.max(PATIENCE),
        ..base.timeouts
    };
    let roots = |flag: &str, list: &Option<String>| match list {
        None => Ok(base.nexus_trust_roots.clone()),
        Some(list) => TrustRoots::parse(list).map_err(|error| Failure::Usage(format!("--{flag}: {error}"))),
    };
    let from = Settings {
        nexus_url: args.from.clone(),
        nexus_trust_roots: roots("from-trust-root", &args.from_trust_root)?,
        workload_api: args.from_socket.clone().or_else(|| base.workload_api.clone()),
        timeouts,
        ..base.clone()
    };
    let to = Settings {
        nexus_url: args.to.clone(),
        nexus_trust_roots: roots("to-trust-root", &args.to_trust_root)?,
        workload_api: args.to_socket.clone().or_else(|| base.workload_api.clone()),
        ..from.clone()
    };
    Ok((from, to))
}
