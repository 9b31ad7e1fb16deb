//! Calls about policies.
use spike_policy::{Generation, Permission, PolicyDocument};
use spike_wire::access::{AccessRequest, AccessResponse};
use spike_wire::feed::WatchRequest;
use spike_wire::import::{ImportedPolicy, PolicyImport, PolicyImportResponse};
use spike_wire::policies::{
    ApplyRequest, ApplyResponse, GetResponse, ListItem, ListRequest, ListResponse, LookupRequest, PutRequest,
};
use spike_wire::routes::{Action, POLICY};

use crate::transport::{Call, Transport, read};
use crate::{Error, Watch};

/// Everything about policies. From [`Client::policies`](crate::Client::policies).
#[derive(Clone, Copy)]
pub struct Policies<'a> {
    transport: &'a Transport,
}

/// How far a follower of the policies has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The store, as its snapshot named it. Generations of different stores do not compare.
    pub store: String,
    /// The last generation that was taken over.
    pub generation: Generation,
}

/// Which policies to list. Nexus compares the stored text of a pattern for equality; it does not match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    #[default]
    All,
    /// Those with exactly this SPIFFE ID pattern.
    SpiffeIdPattern(String),
    /// Those with exactly this path pattern.
    PathPattern(String),
}

impl<'a> Policies<'a> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Self { transport }
    }

    /// Creates a policy, or replaces the one of that name.
    ///
    /// # Errors
    /// [`Error::BadRequest`] with every fault of the document; see [`Error`].
    pub async fn put(&self, policy: &PolicyDocument) -> Result<(), Error> {
        self.transport
            .tell(Call::write(POLICY, Action::Default, &PutRequest::from(policy))?)
            .await
    }

    /// Creates a policy.
    ///
    /// A Nexus that does not honour `If-None-Match` (the official one) lets two clients that create the same name at
    /// the same moment both succeed, the second replacing the first.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when there is one of that name; as [`Policies::put`].
    pub async fn create(&self, policy: &PolicyDocument) -> Result<(), Error> {
        if self.exists(&policy.name).await? {
            return Err(Error::AlreadyExists);
        }
        self.transport
            .tell(Call::create(POLICY, Action::Default, &PutRequest::from(policy))?)
            .await
    }

    /// Creates or replaces several policies: all of them, or none. Not known to an official Nexus, which would take
    /// it for a bad request.
    ///
    /// # Errors
    /// As [`Policies::put`].
    pub async fn apply(&self, policies: &[PolicyDocument]) -> Result<ApplyResponse, Error> {
        let request = ApplyRequest {
            policies: policies.iter().map(PutRequest::from).collect(),
        };
        self.transport.ask(Call::write(POLICY, Action::Apply, &request)?).await
    }

    /// Brings in policies as another Nexus had them: with their times, each judged by itself. Can be repeated. For
    /// SPIKE Pilot only, and not known to an official Nexus, which would take it for a bad request.
    ///
    /// # Errors
    /// See [`Error`]; a policy that is refused is none, but an [`Outcome`](spike_wire::import::Outcome).
    pub async fn import(&self, policies: &PolicyImport) -> Result<Vec<ImportedPolicy>, Error> {
        let call = Call::write(POLICY, Action::Import, policies)?;
        let answer: PolicyImportResponse = self.transport.ask(call).await?;
        Ok(answer.imported.unwrap_or_default())
    }

    /// A policy by its name or id.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; see [`Error`].
    pub async fn get(&self, name_or_id: &str) -> Result<GetResponse, Error> {
        let call = Call::read(POLICY, Action::Get, &LookupRequest::of(name_or_id))?;
        match self.transport.ask(call).await {
            Ok(policy) => Ok(policy),
            Err(error) => Err(self.missing_or(error, name_or_id).await),
        }
    }

    /// Deletes a policy by its name or id.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; see [`Error`].
    pub async fn delete(&self, name_or_id: &str) -> Result<(), Error> {
        let call = Call::write(POLICY, Action::Delete, &LookupRequest::of(name_or_id))?;
        match self.transport.tell(call).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.missing_or(error, name_or_id).await),
        }
    }

    /// Names and ids of policies.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self, filter: &Filter) -> Result<Vec<ListItem>, Error> {
        let mut request = ListRequest::default();
        match filter {
            Filter::All => {}
            Filter::SpiffeIdPattern(text) => request.spiffeid_pattern.clone_from(text),
            Filter::PathPattern(text) => request.path_pattern.clone_from(text),
        }
        match self.transport.call(Call::read(POLICY, Action::List, &request)?).await {
            Err(Error::NotFound) => Ok(Vec::new()),
            body => Ok(read::<ListResponse>(&body?)?.policies.unwrap_or_default()),
        }
    }

    /// Follows the policies: a snapshot, then changes, and a heartbeat every second. `from` is what the caller has
    /// already; Nexus may begin with a snapshot all the same.
    ///
    /// # Errors
    /// [`Error::Denied`] when this identity may not follow; see [`Error`].
    pub async fn watch(&self, from: Option<&Position>) -> Result<Watch, Error> {
        let request = from.map_or_else(WatchRequest::default, |position| WatchRequest {
            generation: Some(position.generation.0),
            store: position.store.clone(),
        });
        let body = self
            .transport
            .open(Call::read(POLICY, Action::Watch, &request)?)
            .await?;
        Ok(Watch::new(body, self.transport.silence_limit()))
    }

    /// Whether policies and built-in roles allow this access, and why: what [`decide`](spike_policy::decide()) says in
    /// Nexus, with the policies that give it or nearly do. An answer that denies is `Ok`, too. Not known to an official
    /// Nexus, which would take it for a bad request.
    ///
    /// # Errors
    /// [`Error::Denied`] when this identity may not both read and list policies; [`Error::BadRequest`] when the SPIFFE
    /// ID or the path is none; see [`Error`].
    pub async fn check(&self, spiffe_id: &str, path: &str, permission: Permission) -> Result<AccessResponse, Error> {
        let request = AccessRequest::of(spiffe_id, path, permission);
        self.transport.ask(Call::read(POLICY, Action::Check, &request)?).await
    }

    /// [`Policies::check`] with the permission that an HTTP method asks for: GET, HEAD and OPTIONS read; POST, PUT,
    /// PATCH and DELETE write; LIST lists.
    ///
    /// # Errors
    /// As [`Policies::check`]; [`Error::BadRequest`] for any other method.
    pub async fn check_method(&self, spiffe_id: &str, path: &str, method: &str) -> Result<AccessResponse, Error> {
        let request = AccessRequest::of_method(spiffe_id, path, method);
        self.transport.ask(Call::read(POLICY, Action::Check, &request)?).await
    }

    /// Asks for the policy; whoever may only list is told from the list.
    async fn exists(&self, name: &str) -> Result<bool, Error> {
        match self.get(name).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(Error::Denied) => self.is_listed(name).await,
            Err(other) => Err(other),
        }
    }

    /// An official Nexus answers 500 when it has no such policy; its list tells whether that is why.
    async fn missing_or(&self, error: Error, name_or_id: &str) -> Error {
        match error {
            Error::Unexpected { status: 500, .. } if matches!(self.is_listed(name_or_id).await, Ok(false)) => {
                Error::NotFound
            }
            other => other,
        }
    }

    async fn is_listed(&self, name_or_id: &str) -> Result<bool, Error> {
        Ok(self
            .list(&Filter::All)
            .await?
            .iter()
            .any(|item| item.name == name_or_id || item.id == name_or_id))
    }
}
