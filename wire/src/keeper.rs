//! What Nexus and SPIKE's Keepers say to each other (`spike.md` §7.7). A Keeper holds one shard of the root key, in
//! memory only.
use serde::Serialize;

use crate::go_json::{Shard, from_go};

/// Gives a Keeper its shard.
pub const CONTRIBUTE: &str = "/v1/store/contribute";
/// Asks a Keeper for its shard.
pub const SHARD: &str = "/v1/store/shard";

/// Gives a Keeper its shard, in the place of one that it may hold.
#[derive(Debug, Default, Serialize)]
pub struct ContributeRequest {
    /// The shard; a Keeper refuses none, and one that is all zero.
    pub shard: Option<Shard>,
}
from_go!(ContributeRequest { "shard" => shard });

/// The answer: nothing beside its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContributeResponse {
    /// Why it failed; empty or absent when it did not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub err: String,
}
from_go!(ContributeResponse { "err" => err });

/// Asks for the shard. No fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShardRequest {}
from_go!(ShardRequest {});

/// The answer.
#[derive(Debug, Default, Serialize)]
pub struct ShardResponse {
    /// The shard; `null` or all zero when there is none.
    pub shard: Option<Shard>,
    /// Why it failed. Official Keepers write it always, and with a capital letter, for want of a tag.
    #[serde(rename = "Err")]
    pub err: String,
}
from_go!(ShardResponse { "shard" => shard, "Err" => err });

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::go_json::{decode, encode};

    #[test]
    fn an_answer_reads_however_a_keeper_writes_it() {
        let numbers = (1..=32).map(|n: u8| n.to_string()).collect::<Vec<_>>().join(",");
        for text in [
            format!(r#"{{"shard":[{numbers}],"Err":""}}"#),
            format!(r#"{{"Shard":[{numbers}],"err":null,"more":{{}}}}"#),
            format!(r#" {{"SHARD" : [{numbers}, 33] }} "#),
        ] {
            let answer: ShardResponse = decode(text.as_bytes()).unwrap();
            let bytes: Vec<u8> = (1..=32).collect();
            assert_eq!(answer.shard.unwrap().as_bytes().as_slice(), bytes, "{text}");
            assert_eq!(answer.err, "");
        }
        for text in [r#"{"shard":null,"Err":"x"}"#, "{}", "null"] {
            assert!(decode::<ShardResponse>(text.as_bytes()).unwrap().shard.is_none());
        }
        for text in [
            "",
            "[]",
            r#"{"shard":"AAAA"}"#,
            r#"{"shard":[256]}"#,
            r#"{"shard":[-1]}"#,
        ] {
            assert!(decode::<ShardResponse>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn requests_are_written_as_official_keepers_read_them() {
        let request = ContributeRequest {
            shard: Some(Shard::new([7; 32])),
        };
        let sevens = ["7"; 32].join(",");
        let text = encode(&request).unwrap();
        assert_eq!(String::from_utf8_lossy(&text), format!(r#"{{"shard":[{sevens}]}}"#));
        assert_eq!(encode(&ShardRequest {}).unwrap().as_slice(), b"{}");
        let answer = encode(&ShardResponse::default()).unwrap();
        assert_eq!(answer.as_slice(), br#"{"shard":null,"Err":""}"#);
    }
}
