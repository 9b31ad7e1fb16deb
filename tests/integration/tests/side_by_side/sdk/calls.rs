//! The calls, in the order in which they are made.
use serde_json::json;
use spike_integration::official::{BATCH, BOOTSTRAP, LITE, NEXUS, PILOT, RECOVER, RESTORE, WEB};

use super::Call;
use crate::base64;

const SECRET: &str = "tenants/acme/db";
const WHO: &str = r"^spiffe://example\.org/workload/web$";
/// A user whom no agent knows.
const STRANGER: u32 = 23_099;
/// Where nobody listens.
const NOWHERE: &str = "https://127.0.0.1:1";

/// What can be called while the server is open. `proof` is a text sealed under the root key, nonce and ciphertext;
/// `shards` are those of the root key.
pub(crate) fn open(proof: &[String; 2], shards: &[String; 3]) -> Vec<Call> {
    [
        secrets(),
        refused(shards),
        policies(),
        ciphers(),
        clients(),
        unanswered(shards),
        keys(proof),
        contributions(shards),
    ]
    .concat()
}

/// Calls of one user.
fn calls(user: u32, calls: &[&[&str]]) -> Vec<Call> {
    calls.iter().map(|words| Call::new(user, words)).collect()
}

/// One call of each method that asks a Nexus or a Keeper, by who may.
fn each(shards: &[String; 3]) -> Vec<Call> {
    let (nonce, text) = ("AAAAAAAAAAAAAAAA", &base64(b"x"));
    let own = calls(
        PILOT,
        &[
            &["PutSecret", SECRET, r#"{"k":"v"}"#],
            &["GetSecret", SECRET],
            &["GetSecretVersion", SECRET, "1"],
            &["DeleteSecret", SECRET],
            &["DeleteSecretVersions", SECRET, "[1]"],
            &["UndeleteSecret", SECRET, "[1]"],
            &["ListSecretKeys"],
            &["GetSecretMetadata", SECRET, "0"],
            &["CreatePolicy", "p", WHO, "^a$", r#"["read"]"#],
            &["GetPolicy", "p"],
            &["DeletePolicy", "p"],
            &["ListPolicies", WHO, ""],
            &["ListAllPolicies"],
            &["CipherEncrypt", text, "AES-GCM"],
            &["CipherEncryptStream", text],
            &["CipherDecrypt", "1", nonce, "AAAA", ""],
            &["CipherDecryptStream", "AAAA"],
        ],
    );
    let others = [
        Call::new(BOOTSTRAP, &["Verify", "proof", nonce, "AAAA"]),
        Call::new(BOOTSTRAP, &["Contribute", &shards[0], "1"]),
        Call::new(RECOVER, &["Recover"]),
        Call::new(RESTORE, &["Restore", "1", &shards[0]]),
    ];
    [own, others.to_vec()].concat()
}

fn secrets() -> Vec<Call> {
    let pilot: &[&[&str]] = &[
        &["ListSecretKeys"],
        &["PutSecret", SECRET, r#"{"user":"a","password":"one"}"#],
        &["PutSecret", SECRET, r#"{"user":"a","password":"two"}"#],
        &["PutSecret", SECRET, "{}"],
        &["GetSecret", SECRET],
        &["PutSecret", SECRET, r#"{"password":"<four> & \"ä\""}"#],
        &["PutSecret", "bad path", r#"{"k":"v"}"#],
        &["PutSecret", SECRET, r#"{"bad.key":"v"}"#],
        &["PutSecret", "", r#"{"k":"v"}"#],
        &["GetSecret", SECRET],
        &["GetSecret", "tenants/acme/none"],
        &["GetSecret", "bad path"],
        &["GetSecretVersion", SECRET, "1"],
        &["GetSecretVersion", SECRET, "0"],
        &["GetSecretVersion", SECRET, "9"],
        &["GetSecretVersion", SECRET, "-1"],
        &["GetSecretVersion", "bad path", "1"],
        &["ListSecretKeys"],
        &["GetSecretMetadata", SECRET, "0"],
        &["GetSecretMetadata", SECRET, "2"],
        &["GetSecretMetadata", SECRET, "9"],
        &["GetSecretMetadata", "tenants/acme/none", "0"],
        &["GetSecretMetadata", "bad path", "0"],
        &["DeleteSecret", SECRET],
        &["GetSecret", SECRET],
        &["GetSecretVersion", SECRET, "4"],
        &["UndeleteSecret", SECRET, "[4]"],
        &["UndeleteSecret", SECRET, "[4]"],
        &["UndeleteSecret", SECRET, "[9]"],
        &["UndeleteSecret", "tenants/acme/none", "[1]"],
        &["UndeleteSecret", "bad path", "[1]"],
        &["DeleteSecretVersions", SECRET, "[1,2]"],
        &["GetSecretVersion", SECRET, "2"],
        &["UndeleteSecret", SECRET, "[1,2]"],
        &["GetSecretVersion", SECRET, "2"],
        &["DeleteSecretVersions", SECRET, "null"],
        &["DeleteSecretVersions", SECRET, "[0]"],
        &["UndeleteSecret", SECRET, "[3,4]"],
        &["DeleteSecretVersions", SECRET, "[9]"],
        &["DeleteSecretVersions", "tenants/acme/none", "[1]"],
        &["DeleteSecretVersions", "bad path", "[1]"],
        &["DeleteSecret", "tenants/acme/none"],
        &["DeleteSecret", "bad path"],
        &["DeleteSecretVersions", SECRET, "[1,2,3,4]"],
        &["GetSecret", SECRET],
        &["GetSecretMetadata", SECRET, "0"],
        &["UndeleteSecret", SECRET, "null"],
        &["GetSecret", SECRET],
    ];
    calls(PILOT, pilot)
}

/// What nobody has allowed: each call, by somebody else.
fn refused(shards: &[String; 3]) -> Vec<Call> {
    let mut all = Vec::new();
    for call in each(shards) {
        let is_bound_to_a_role = matches!(call.words[0].as_str(), "Recover" | "Restore");
        let call = call.by(WEB);
        all.push(if is_bound_to_a_role { call.that_dies() } else { call });
    }
    all
}

fn policies() -> Vec<Call> {
    let (read, both) = (r#"["read"]"#, r#"["read","list"]"#);
    let pilot = |words: &[&[&str]]| calls(PILOT, words);
    let made = pilot(&[
        &["ListAllPolicies"],
        &["CreatePolicy", "web-reads", WHO, "^tenants/acme/.*$", read],
        &["CreatePolicy", "web-reads", WHO, "^tenants/acme/.*$", both],
        &[
            "CreatePolicy",
            "web-cipher",
            WHO,
            "^spike/system/cipher/exec$",
            r#"["execute"]"#,
        ],
        &["CreatePolicy", "bad", WHO, "(", read],
        &["CreatePolicy", "bad", "web", "^a$", read],
        &["CreatePolicy", "bad.name", WHO, "^a$", read],
        &["CreatePolicy", "bad", WHO, "^a$", r#"["admin"]"#],
        &["CreatePolicy", "bad", WHO, "^a$", "null"],
        &["GetPolicy", "web-reads"],
        &["GetPolicy", "nobody"],
        &["GetPolicy", ""],
        &["ListAllPolicies"],
        &["ListPolicies", "", "^tenants/acme/.*$"],
        &["ListPolicies", WHO, ""],
        &["ListPolicies", "", "^nobody$"],
        &["ListPolicies", WHO, "^tenants/acme/.*$"],
    ]);
    let used: &[&[&str]] = &[
        &["GetSecret", SECRET],
        &["GetSecretVersion", SECRET, "1"],
        &["GetSecretMetadata", SECRET, "0"],
        &["PutSecret", SECRET, r#"{"k":"v"}"#],
        &["GetSecret", "tenants/acme/none"],
        &["GetSecret", "tenants/other"],
        &["CreatePolicy", "own", WHO, "^.*$", r#"["super"]"#],
        &["GetPolicy", "web-reads"],
        &["DeletePolicy", "web-reads"],
        &["ListAllPolicies"],
        &["ListPolicies", WHO, ""],
    ];
    let gone = [
        calls(BATCH, &[&["GetSecret", SECRET]]),
        pilot(&[
            &["DeletePolicy", "web-reads"],
            &["DeletePolicy", "web-reads"],
            &["DeletePolicy", ""],
        ]),
        calls(WEB, &[&["GetSecret", SECRET]]),
    ];
    [made, calls(WEB, used), gone.concat()].concat()
}

fn ciphers() -> Vec<Call> {
    let mut all = Vec::new();
    let (zero, nonce) = ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA");
    let text = base64(b"some text");
    for user in [PILOT, LITE, WEB, BATCH] {
        let one: &[&[&str]] = &[
            &["round-trip", "some text"],
            &["CipherEncrypt", &text, "AES-GCM"],
            &["CipherEncryptStream", &text],
            &["CipherDecrypt", "2", nonce, zero, ""],
            &["CipherDecrypt", "1", "AAAA", zero, ""],
            &["CipherDecrypt", "1", nonce, zero, ""],
            &["CipherDecryptStream", zero],
            &["CipherDecryptStream", "AQ=="],
        ];
        all.extend(calls(user, one));
    }
    let large = base64(&vec![b'x'; 65_537]);
    all.push(Call::new(PILOT, &["CipherEncrypt", &large, ""]));
    all.push(Call::new(PILOT, &["CipherEncryptStream", &large]));
    all
}

/// Clients made in every way, and those that cannot work.
fn clients() -> Vec<Call> {
    let get = Call::new(PILOT, &["GetSecret", SECRET]);
    let mut all = Vec::new();
    for way in [
        "New",
        "NewWithContext",
        "NewWithSource",
        "with-closed-source",
        "with-cancelled-context",
    ] {
        all.push(get.clone().with_client(way));
    }
    for way in ["New", "with-nil-source", "with-closed-source"] {
        all.push(Call::new(PILOT, &[way, "Close"]));
    }
    all.push(Call::new(RECOVER, &["with-closed-source", "Recover"]));
    for way in ["New", "NewWithContext"] {
        let call = get.clone().by(STRANGER).with_client(way);
        all.push(call.with_variable("SPIKE_SPIFFE_SOURCE_TIMEOUT", "1s"));
    }
    for roots in ["other.org", "other.org,example.org"] {
        for words in [
            &["GetSecret", SECRET][..],
            &["ListAllPolicies"],
            &["CipherEncryptStream", "eA=="],
        ] {
            all.push(Call::new(PILOT, words).with_variable("SPIKE_TRUST_ROOT_NEXUS", roots));
        }
    }
    all
}

/// Each call, with nobody there to answer it and with nobody to ask in whose name.
fn unanswered(shards: &[String; 3]) -> Vec<Call> {
    let mut all = Vec::new();
    for call in each(shards) {
        let variable = match call.words[0].as_str() {
            "Contribute" => "SPIKE_NEXUS_KEEPER_PEERS",
            _ => "SPIKE_NEXUS_API_URL",
        };
        all.push(call.clone().with_variable(variable, NOWHERE));
        all.push(call.with_client("with-nil-source"));
    }
    // Those of one process beside each other.
    all.sort_by_key(|call| (call.variable, call.user));
    all
}

fn keys([nonce, sealed]: &[String; 2]) -> Vec<Call> {
    let (five, zero) = (json!(vec![5; 32]).to_string(), json!(vec![0; 32]).to_string());
    vec![
        Call::new(BOOTSTRAP, &["Verify", "proof", nonce, sealed]),
        Call::new(BOOTSTRAP, &["Verify", "proof", "AAAA", sealed]),
        Call::new(BOOTSTRAP, &["Verify", "another text", nonce, sealed]).that_dies(),
        Call::new(BOOTSTRAP, &["GetSecret", SECRET]),
        Call::new(PILOT, &["Verify", "proof", nonce, sealed]),
        Call::new(RECOVER, &["Recover"]),
        Call::new(RECOVER, &["GetSecret", SECRET]),
        Call::new(RESTORE, &["Restore", "0", &five]),
        Call::new(RESTORE, &["Restore", "1001", &five]),
        Call::new(RESTORE, &["Restore", "1", &zero]),
    ]
}

/// Shards for the Keepers, and those that they do not take: in the end each holds its own.
fn contributions(shards: &[String; 3]) -> Vec<Call> {
    let (zero, long) = (json!(vec![0; 32]).to_string(), json!(vec![5; 48]).to_string());
    let give = |user, shard: &str, keeper: &str| Call::new(user, &["Contribute", shard, keeper]);
    vec![
        give(NEXUS, &shards[2], "1"),
        give(BOOTSTRAP, &shards[0], "1"),
        give(BOOTSTRAP, &shards[1], "2"),
        give(BOOTSTRAP, &shards[2], "3"),
        give(BOOTSTRAP, &zero, "1"),
        // The SDK does nothing for a Keeper that is not in its list, and says nothing of it.
        give(BOOTSTRAP, &shards[0], "9"),
        give(BOOTSTRAP, &long, "1").that_dies(),
        give(BOOTSTRAP, &shards[1], "1").with_variable("SPIKE_TRUST_ROOT_KEEPER", "other.org"),
        give(PILOT, &shards[1], "1"),
        give(WEB, &shards[1], "1"),
        give(RECOVER, &shards[1], "1"),
    ]
}

/// What can be called when the root key is lost, until the shards bring it back.
pub(crate) fn sealed(shards: &[String; 3]) -> Vec<Call> {
    let mut all = each(shards);
    all.retain(|call| call.words[0] != "Restore");
    let get = Call::new(PILOT, &["GetSecret", SECRET]);
    let restore = |number: usize| {
        let words = ["Restore", &number.to_string(), &shards[number - 1]];
        Call::new(RESTORE, &words)
    };
    all.extend([
        restore(1),
        restore(1),
        get.clone(),
        restore(3),
        restore(2),
        get.clone(),
        Call::new(PILOT, &["PutSecret", SECRET, r#"{"k":"after"}"#]),
        get,
        Call::new(RECOVER, &["Recover"]),
    ]);
    all
}

/// What shows that a Nexus has this root key, whatever else it has.
pub(crate) fn proved([nonce, sealed]: &[String; 2]) -> Vec<Call> {
    vec![
        Call::new(BOOTSTRAP, &["Verify", "proof", nonce, sealed]),
        Call::new(PILOT, &["CipherDecrypt", "1", nonce, sealed, ""]),
        Call::new(PILOT, &["CipherDecryptStream", &format!("AQ==.{nonce}.{sealed}")]),
    ]
}
