//! Laws of the Check as a whole, over random policies that change while they are asked.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a random test prints its seed and what it tried")]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use spike_audit::Journal;
use spike_ext_authz::Reading;
use spike_ext_authz::check::{Authorizer, Call, Rulebook};
use spike_ext_authz::encode::Disclosure;
use spike_ext_authz::feed::{Source, Unavailable};
use spike_ext_authz::metrics::Metrics;
use spike_ext_authz::snapshot::{Lookups, Views};
use spike_policy::request::Rules;
use spike_policy::{Access, Generation, Policy, PolicySet, Roles};
use spike_runtime::SystemClock;
use spike_runtime::metrics::Registry;

#[path = "../../policy/tests/random/mod.rs"]
mod random;
#[path = "../../policy/tests/world/mod.rs"]
mod world;

use random::Random;

/// Policies that change between two Checks.
#[derive(Default)]
struct Shared(Mutex<Option<Arc<PolicySet>>>);

impl Shared {
    fn set(&self, policies: PolicySet) {
        *self.0.lock().unwrap() = Some(Arc::new(policies));
    }
}

impl Source for Shared {
    fn load(&self) -> Result<Arc<PolicySet>, Unavailable> {
        self.0.lock().unwrap().clone().ok_or(Unavailable::NotLoaded)
    }
}

fn authorizer(source: &Arc<Shared>, views: Views, reload: bool) -> Authorizer {
    let trust_domains = world::DOMAINS.map(|domain| domain.parse().unwrap()).into();
    let rules = Rules {
        trust_domains,
        ..Rules::default()
    };
    let source = Arc::clone(source);
    Authorizer {
        source,
        views,
        rulebook: Rulebook {
            reading: Reading { rules, listener: None },
            roles: Roles::default(),
            disclosure: Disclosure::default(),
            reload,
        },
        audit: Journal::off(),
        metrics: Metrics::register(&Registry::new("laws", "0")),
        clock: SystemClock::shared(),
    }
}

/// What Envoy sends for this access.
fn request(access: &Access) -> Vec<u8> {
    let http = HttpRequest {
        method: "GET".to_owned(),
        path: format!("/{}", access.path),
        ..HttpRequest::default()
    };
    let source = Peer {
        principal: access.who.to_string(),
        ..Peer::default()
    };
    let permission = ("spike.permission".to_owned(), access.permission.as_str().to_owned());
    let attributes = AttributeContext {
        source: Some(source),
        request: Some(Request {
            http: Some(http),
            ..Request::default()
        }),
        context_extensions: HashMap::from([permission]),
        ..AttributeContext::default()
    };
    let attributes = Some(attributes);
    CheckRequest { attributes }.encode_to_vec()
}

/// The answer but for its decision id: status code, verdict, reason and generation. Which of several policies allows it
/// may differ.
fn answer(authorizer: &Authorizer, request: &[u8]) -> (i32, String, String, u64) {
    let call = Call {
        listener: "uds",
        caller: None,
        arrived: authorizer.clock.monotonic(),
        patience: None,
    };
    let frame = authorizer.check(call, Ok(request)).into_frame();
    let response = CheckResponse::decode(&frame[5..]).unwrap();
    let mut fields = response.dynamic_metadata.expect("metadata").fields;
    let mut field = |key: &str| fields.remove(key).and_then(|value| value.kind);
    let mut word = |key: &str| match field(key) {
        Some(Kind::StringValue(word)) => word,
        other => panic!("{key}: {other:?}"),
    };
    let (verdict, reason) = (word("verdict"), word("reason"));
    let generation = match field("generation") {
        Some(Kind::NumberValue(generation)) => generation.to_bits(),
        other => panic!("generation: {other:?}"),
    };
    (response.status.expect("a status").code, verdict, reason, generation)
}

/// Changes a few policies. The generation mostly rises; where a store is replaced it stays or falls.
fn change(random: &mut Random, policies: &mut [Arc<Policy>], set: &PolicySet) -> PolicySet {
    let mut put = Vec::new();
    for _ in 0..random.below(4) {
        let at = random.below(policies.len());
        let name = policies[at].rule.name.as_str().to_owned();
        policies[at] = world::policy(random, &name);
        put.retain(|p: &Arc<Policy>| p.rule.name != policies[at].rule.name);
        put.push(Arc::clone(&policies[at]));
    }
    let generation = match random.below(8) {
        0 => set.generation().0,
        1 => set.generation().0.saturating_sub(2),
        _ => set.generation().0 + 1,
    };
    set.with(Generation(generation), &put, &[])
}

/// With views that are kept, with views that are thrown out all the time, and without any: the same answers.
#[test]
fn with_and_without_kept_views_every_check_gets_the_same_answer() {
    let mut random = Random::new(random::seed());
    let wanted = random::cases(10_000);
    let source = Arc::<Shared>::default();
    let lookups = Lookups::default();
    let kept = authorizer(
        &source,
        Views::new(Duration::from_secs(3600), 10_000, lookups.clone()),
        false,
    );
    let (few, brief) = (Lookups::default(), Duration::from_millis(1));
    let thrown_out = authorizer(&source, Views::new(brief, 4, few.clone()), false);
    let off = authorizer(&source, Views::new(Duration::ZERO, 1, Lookups::default()), true);
    let (mut cases, mut allowed, mut changes) = (0, 0, 0);
    let mut reasons = BTreeSet::new();
    while cases < wanted {
        let size = [1, 10, 60, 200, 500][random.below(5)];
        let mut policies = world::policies(&mut random, size);
        let mut set = world::set(&policies);
        for _ in 0..20 {
            source.set(set.clone());
            // Few accesses, asked more than once: what is kept must be of use.
            let accesses: Vec<_> = (0..10).map(|_| world::access(&mut random)).collect();
            for _ in 0..50 {
                let access = &accesses[random.below(accesses.len())];
                let request = request(access);
                let expected = answer(&off, &request);
                assert_eq!(answer(&kept, &request), expected, "kept, {access:?}");
                assert_eq!(answer(&thrown_out, &request), expected, "thrown out, {access:?}");
                allowed += usize::from(expected.0 == 0);
                reasons.insert(expected.2);
                cases += 1;
            }
            set = change(&mut random, &mut policies, &set);
            changes += 1;
        }
    }
    let (hits, misses) = (lookups.hits.get(), lookups.misses.get());
    println!(
        "{cases} Checks each with kept views ({hits} hits, {misses} misses), with views thrown out ({} hits, {} misses) \
         and without, {changes} changes of policies, {allowed} allowed, reasons {reasons:?}",
        few.hits.get(),
        few.misses.get(),
    );
    assert!(
        cases >= wanted && allowed > cases / 20 && allowed < cases,
        "{allowed} of {cases} allowed"
    );
    assert!(
        hits > 500 && misses > 100,
        "{hits} hits and {misses} misses show little"
    );
    assert!(few.misses.get() > misses, "nothing was thrown out");
    assert_eq!(reasons.len(), 5, "{reasons:?}");
}
