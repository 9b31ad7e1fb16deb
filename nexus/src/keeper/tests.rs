#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use super::rebuild::{Rebuilt, rebuild};
use super::*;
use crate::vault::{RootKey, Share, Sharing};

fn shares(byte: u8, sharing: Sharing) -> Vec<Share> {
    RootKey::take(&mut [byte; 32]).split(sharing).unwrap()
}

/// Share `id` of the key of bytes `byte`, for each byte of `held` in turn; 0 stands for a Keeper without one.
fn held(held: &[u8], sharing: Sharing) -> Vec<Share> {
    let with_one = held.iter().enumerate().filter(|(_, byte)| **byte != 0);
    with_one.map(|(at, byte)| shares(*byte, sharing)[at].clone()).collect()
}

fn found(keys: Vec<Rebuilt>) -> Vec<(Vec<u16>, Vec<u16>)> {
    keys.into_iter().map(|rebuilt| (rebuilt.of, rebuilt.not_of)).collect()
}

#[test]
fn shares_that_prove_a_key_give_it_whatever_the_others_are() {
    let two_of_three = Sharing::default();
    let three_of_five = Sharing::new(5, 3).unwrap();
    let mut tried = 0;
    for (sharing, given, keys) in [
        (two_of_three, &[7, 7, 7][..], vec![(vec![1, 2, 3], vec![])]),
        (two_of_three, &[0, 7, 7], vec![(vec![2, 3], vec![])]),
        (two_of_three, &[9, 7, 7], vec![(vec![2, 3], vec![1])]),
        (two_of_three, &[7, 9, 7], vec![(vec![1, 3], vec![2])]),
        (two_of_three, &[7, 7, 9], vec![(vec![1, 2], vec![3])]),
        (two_of_three, &[7, 9, 11], vec![]),
        (two_of_three, &[7, 9, 0], vec![]),
        (two_of_three, &[7, 0, 0], vec![]),
        (two_of_three, &[0, 0, 0], vec![]),
        (three_of_five, &[7, 9, 7, 9, 7], vec![(vec![1, 3, 5], vec![2, 4])]),
        (three_of_five, &[9, 9, 7, 7, 0], vec![]),
        (
            Sharing::new(4, 2).unwrap(),
            &[7, 9, 9, 7],
            vec![(vec![1, 4], vec![2, 3]), (vec![2, 3], vec![1, 4])],
        ),
        (
            Sharing::new(5, 2).unwrap(),
            &[7, 7, 9, 9, 9],
            vec![(vec![3, 4, 5], vec![1, 2]), (vec![1, 2], vec![3, 4, 5])],
        ),
        // One share is enough: nothing can be told, and nothing is wrong.
        (Sharing::new(1, 1).unwrap(), &[7], vec![(vec![1], vec![])]),
    ] {
        assert_eq!(found(rebuild(&held(given, sharing), sharing)), keys, "{given:?}");
        tried += 1;
    }
    assert_eq!(tried, 14);
}

#[test]
fn the_key_that_is_rebuilt_is_the_key_that_was_shared() {
    let sharing = Sharing::new(9, 5).unwrap();
    let keys = rebuild(&held(&[9, 7, 7, 0, 9, 7, 7, 0, 7], sharing), sharing);
    assert_eq!(keys.len(), 1);
    let again = keys[0].key.split(sharing).unwrap();
    let before = shares(7, sharing);
    assert!(
        again
            .iter()
            .zip(&before)
            .all(|(a, b)| (a.id, &a.value) == (b.id, &b.value))
    );
}

#[test]
fn shares_of_another_threshold_do_not_prove_a_key() {
    let (two, three) = (Sharing::default(), Sharing::new(3, 3).unwrap());
    assert!(rebuild(&shares(7, two), three).is_empty());
    assert!(rebuild(&shares(7, three), two).is_empty());
}

#[test]
fn many_keepers_with_many_wrong_shares_end_the_search() {
    let sharing = Sharing::new(30, 4).unwrap();
    let different: Vec<u8> = (1..=30).collect();
    assert!(rebuild(&held(&different, sharing), sharing).is_empty());
    assert_eq!(rebuild(&shares(7, sharing), sharing).len(), 1);
}

#[test]
fn a_keeper_is_named_by_an_https_address_and_only_once() {
    let url = |text: &str| text.parse::<KeeperUrl>().map(|url| url.to_string());
    for (text, shown) in [
        ("https://keeper-1:8443", "https://keeper-1:8443"),
        ("https://keeper-1:8443/", "https://keeper-1:8443"),
        ("https://Keeper-1", "https://keeper-1"),
        ("https://[::1]:8443/a/b/", "https://[::1]:8443/a/b"),
    ] {
        assert_eq!(url(text).unwrap(), shown);
    }
    assert_eq!(url("").unwrap_err().to_string(), "blank");
    for text in [
        "keeper-1:8443",
        "http://keeper-1:8443",
        "https://",
        "https://u:p@keeper-1",
        "https://keeper-1?x=1",
        "https://keeper-1#x",
        "https://a b",
    ] {
        assert_eq!(url(text).unwrap_err(), InvalidPeers::Address, "{text}");
    }
    let peers = |texts: &[&str]| Peers::new(texts.iter().map(|text| text.parse().unwrap()).collect());
    let two = peers(&["https://a", "https://b"]).unwrap();
    let numbered: Vec<_> = two.numbered().map(|(id, url)| format!("{id} {url}")).collect();
    assert_eq!(numbered, ["1 https://a", "2 https://b"]);
    for (given, says) in [
        (
            &["https://a", "https://b", "https://A/"][..],
            "`https://a` is named twice",
        ),
        (&[], "0 Keepers"),
    ] {
        let shown = peers(given).unwrap_err().to_string();
        assert!(shown.contains(says), "{shown}");
    }
    let route = url("https://a:1/p/").unwrap().parse::<KeeperUrl>().unwrap();
    assert_eq!(route.route("/v1/store/shard").unwrap(), "https://a:1/p/v1/store/shard");
}

#[test]
fn shares_are_never_printed() {
    let answer = Answer {
        id: 1,
        keeper: "https://a".parse().unwrap(),
        said: Ok(shares(7, Sharing::default())[0].clone()),
    };
    let shown = format!("{answer:?}");
    assert!(shown.contains("Share(1)") && !shown.contains("value"), "{shown}");
}
