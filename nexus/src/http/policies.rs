//! Policies over HTTP.
use spike_policy::PolicyDocument;
use spike_wire::policies::{
    Applied, ApplyRequest, ApplyResponse, GetResponse, ListItem, ListRequest, ListResponse, LookupRequest, Outcome,
    PutRequest,
};

use super::call::Call;
use super::error::PolicyWritten;
use crate::service::{Guard, PolicyFilter, Refused};
use crate::store::PutOutcome;

pub(super) async fn put(call: &mut Call<'_>) -> Result<PolicyWritten, Refused> {
    let request: PutRequest = call.decode()?;
    call.record.policies([request.name.as_str()]);
    let permit = call.permit(Guard::write_policies)?;
    call.service.put_policy(&permit, request.into()).await?;
    Ok(PolicyWritten::done())
}

pub(super) async fn apply(call: &mut Call<'_>) -> Result<ApplyResponse, Refused> {
    let request: ApplyRequest = call.decode()?;
    call.record
        .policies(request.policies.iter().map(|policy| policy.name.as_str()));
    let permit = call.permit(Guard::write_policies)?;
    let documents = request.policies.into_iter().map(PolicyDocument::from).collect();
    let applied = call.service.apply_policies(&permit, documents).await?;
    let one = |(policy, outcome): &(std::sync::Arc<spike_policy::Policy>, PutOutcome)| Applied {
        name: policy.rule.name.to_string(),
        id: policy.id.to_string(),
        outcome: outcome_of(*outcome),
    };
    Ok(ApplyResponse {
        applied: Some(applied.policies.iter().map(one).collect()),
        generation: applied.generation.0,
        ..ApplyResponse::default()
    })
}

pub(super) fn get(call: &mut Call<'_>) -> Result<GetResponse, Refused> {
    let request: LookupRequest = call.decode()?;
    call.record.policies([request.name_or_id()]);
    let permit = call.permit(Guard::read_policies)?;
    let policy = call.service.get_policy(&permit, request.name_or_id())?;
    Ok(GetResponse::from(&*policy))
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<PolicyWritten, Refused> {
    let request: LookupRequest = call.decode()?;
    call.record.policies([request.name_or_id()]);
    let permit = call.permit(Guard::write_policies)?;
    call.service.delete_policy(&permit, request.name_or_id()).await?;
    Ok(PolicyWritten::done())
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<ListResponse, Refused> {
    let request: ListRequest = call.decode()?;
    let permit = call.permit(Guard::list_policies)?;
    let filter = PolicyFilter::of(request.spiffeid_pattern, request.path_pattern)?;
    let policies = call.service.list_policies(&permit, filter).await?;
    Ok(ListResponse {
        policies: Some(policies.iter().map(|policy| ListItem::from(&**policy)).collect()),
        err: None,
    })
}

fn outcome_of(outcome: PutOutcome) -> Outcome {
    match outcome {
        PutOutcome::Created => Outcome::Created,
        PutOutcome::Updated => Outcome::Updated,
        PutOutcome::Unchanged => Outcome::Unchanged,
    }
}
