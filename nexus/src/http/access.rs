//! Questions about accesses over HTTP.
use spike_wire::access::{AccessRequest, AccessResponse};

use super::call::Call;
use crate::service::{Guard, Question, Refused};

pub(super) async fn check(call: &mut Call<'_>) -> Result<AccessResponse, Refused> {
    let request: AccessRequest = call.decode()?;
    let AccessRequest {
        spiffeid,
        path,
        action,
        method,
    } = request;
    let how = if action.is_empty() { &method } else { &action };
    call.record.question(&format!("{how} on {path} for {spiffeid}"));
    let permit = call.permit(Guard::check_access)?;
    let question = Question {
        who: spiffeid,
        path,
        permission: action,
        method,
    };
    let explanation = call.service.check_access(&permit, &question).await?;
    call.record.verdict(explanation.reason());
    Ok(AccessResponse::from(&explanation))
}
