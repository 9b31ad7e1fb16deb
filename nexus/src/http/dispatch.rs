//! The order of checks, the same for every request (`spike.md` §1.1, §1.3).
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use spike_wire::ErrorBody;
use spike_wire::backup::MEDIA_TYPE;
use spike_wire::routes::{
    ACTION, NDJSON, OPERATOR_RECOVER, OPERATOR_RESTORE, OPERATOR_STATUS, REQUEST_ID_HEADER, SECRET_BY_PATH,
};

use super::answer::{Answer, Body};
use super::audit::{Ended, Record};
use super::body::Received;
use super::call::Call;
use super::cipher::Mode;
use super::connection::Busy;
use super::routes::Route;
use super::{Api, access, backup, cipher, feed, import, operator, policies, rekey, secrets, url};
use crate::service::Refused;

/// Answers one request, writes its audit event and counts it.
pub(super) async fn dispatch(busy: &Busy, request: Request<Incoming>) -> Response<Body> {
    let caller = &*busy.caller;
    let api = &*caller.api;
    let started = api.service.clock().monotonic();
    let who = (caller.peer.id(), caller.remote);
    let mut record = Record::new(Arc::clone(api.service.clock()), who, &request);
    let (route, answer) = match record.admit(&api.audit).await {
        Ok(()) => answer(api, busy, request, &mut record).await,
        Err(refused) => (None, Answer::refusal::<ErrorBody>(refused)),
    };
    let Answer { mut response, refused } = answer;
    let took = api.service.clock().monotonic().saturating_duration_since(started);
    api.metrics.answered(route, response.status(), took);
    if let Ok(id) = HeaderValue::from_bytes(&record.id().hex()) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(REQUEST_ID_HEADER), id);
    }
    record.write(
        route,
        &Ended {
            status: response.status(),
            refused: refused.as_ref(),
            took,
        },
    );
    response
}

async fn answer(api: &Api, busy: &Busy, request: Request<Incoming>, record: &mut Record) -> (Option<Route>, Answer) {
    let who = busy.caller.peer.id();
    let (head, body) = request.into_parts();
    if head.method == Method::OPTIONS && head.uri.path() == "*" {
        return (None, Answer::empty());
    }
    let no_route = || (None, Answer::refusal::<ErrorBody>(Refused::NoRoute));
    // RFC 9112 §3.2: exactly one.
    if head.version == Version::HTTP_11 && head.headers.get_all(HOST).iter().count() != 1 {
        return no_route();
    }
    let Some(path) = url::decode_path(head.uri.path()) else {
        return no_route();
    };
    let query = head.uri.query().unwrap_or_default();
    // A secret's path is an opaque name, in which an empty segment may well be meant.
    let by_path = head.method == Method::GET && path.starts_with(SECRET_BY_PATH);
    if !by_path
        && head.method != Method::CONNECT
        && let Some(clean) = url::cleaned(head.uri.path())
    {
        let location = if query.is_empty() {
            clean
        } else {
            format!("{clean}?{query}")
        };
        return (None, Answer::moved(&location));
    }
    if !by_path && head.method != Method::POST {
        return no_route();
    }
    // These are about the key that a server without one waits for.
    let about_the_key = path == OPERATOR_RECOVER || path == OPERATOR_RESTORE || path == OPERATOR_STATUS;
    if !api.service.is_ready() && !about_the_key {
        return (
            None,
            Answer::refusal::<ErrorBody>(Refused::NotReady("the store is not open")),
        );
    }
    let action = url::parameter(query, ACTION).unwrap_or_default();
    let known = Route::find(&head.method, &path, &action);
    let Some(route) = known.filter(|route| !api.service.is_lite() || route.is_lite()) else {
        return no_route();
    };
    let body = if by_path {
        Received::nothing()
    } else {
        Received::read(body, &import::limits(api, route, who)).await
    };
    let mut call = Call {
        service: &api.service,
        who,
        body,
        record,
        mode: Mode::of(&head.headers),
    };
    let secret = path.strip_prefix(SECRET_BY_PATH).unwrap_or_default();
    (Some(route), handle(route, &mut call, (secret, query), busy).await)
}

async fn handle(route: Route, call: &mut Call<'_>, (secret, query): (&str, &str), busy: &Busy) -> Answer {
    match route {
        Route::PutSecret => Answer::of(secrets::put(call).await),
        Route::GetSecret => Answer::of(secrets::get(call)),
        Route::DeleteSecret => Answer::of(secrets::delete(call).await),
        Route::UndeleteSecret => Answer::of(secrets::undelete(call).await),
        Route::ListSecrets => Answer::of(secrets::list(call).await),
        Route::SecretMetadata => Answer::of(secrets::metadata(call)),
        Route::ReadSecret => {
            let version = url::parameter(query, "version").map_or(Some(0), |text| text.parse().ok());
            Answer::of(secrets::read(call, secret, version))
        }
        Route::PutPolicy => Answer::of(policies::put(call).await),
        Route::GetPolicy => Answer::of(policies::get(call)),
        Route::DeletePolicy => Answer::of(policies::delete(call).await),
        Route::ListPolicies => Answer::of(policies::list(call).await),
        Route::ApplyPolicies => Answer::of(policies::apply(call).await),
        Route::ImportSecret => Answer::of(import::secret(call).await),
        Route::ImportPolicies => Answer::of(import::policies(call).await),
        Route::CheckAccess => Answer::of(access::check(call).await),
        Route::Encrypt => cipher::encrypt(call).await,
        Route::Decrypt => cipher::decrypt(call),
        Route::VerifyRootKey => Answer::of(operator::verify(call)),
        Route::Recover => Answer::of(operator::recover(call)),
        Route::Restore => Answer::of(operator::restore(call).await),
        Route::KeyStatus => Answer::of(rekey::status(call).await),
        Route::RotateKey => Answer::of(rekey::rotate(call).await),
        Route::Rekey => Answer::of(rekey::rekey(call).await),
        Route::ConfirmRekey => Answer::of(rekey::confirm(call).await),
        Route::CancelRekey => Answer::of(rekey::cancel(call).await),
        Route::Backup => match backup::take(call, busy) {
            Ok(body) => Answer::stream(call.record.streamed(route, body), MEDIA_TYPE),
            Err(refused) => Answer::refusal::<ErrorBody>(refused),
        },
        Route::WatchPolicies => match feed::watch(call, busy) {
            Ok(body) => Answer::stream(call.record.streamed(route, body), NDJSON),
            Err(refused) => Answer::refusal::<ErrorBody>(refused),
        },
    }
}
