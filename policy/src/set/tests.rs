#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use std::collections::{BTreeSet, HashMap};

use super::gram::GramTable;
use super::prefix_tree::{PrefixTree, Relation};
use super::*;
use crate::{Permission, sample};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word(String, usize);

impl Keyed<String> for Word {
    fn key(&self) -> &String {
        &self.0
    }
}

/// A linear congruential generator: the same words in every run.
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    }
}

#[test]
fn a_hash_trie_is_a_map_and_its_clones_do_not_see_changes() {
    let mut below = numbers(1);
    let mut trie: HashTrie<String, Word> = HashTrie::default();
    let mut map: HashMap<String, usize> = HashMap::new();
    let mut former: Option<(HashTrie<String, Word>, HashMap<String, usize>)> = None;
    for step in 0..60_000 {
        let key = below(8_000).to_string();
        match below(10) {
            0..6 => {
                let before = trie.insert(Word(key.clone(), step)).map(|word| word.1);
                assert_eq!(before, map.insert(key, step));
            }
            6 => {
                let changed = trie.get_mut(&key).map(|word| word.1 = step).is_some();
                assert_eq!(changed, map.get_mut(&key).map(|value| *value = step).is_some());
            }
            _ => assert_eq!(trie.remove(&key).map(|word| word.1), map.remove(&key)),
        }
        assert_eq!(trie.len(), map.len());
        if step % 7_500 == 7_499 {
            for (trie, map) in former.iter().chain(&Some((trie.clone(), map.clone()))) {
                let items: HashMap<String, usize> = trie.iter().map(|word| (word.0.clone(), word.1)).collect();
                assert_eq!(items, *map);
                assert!(map.iter().all(|(key, value)| trie.get(key).unwrap().1 == *value));
                assert!(trie.get(&"absent".to_owned()).is_none());
            }
            former = Some((trie.clone(), map.clone()));
        }
    }
    assert!(map.len() > 3_000);
}

#[test]
fn a_prefix_tree_finds_what_equals_and_what_begins() {
    let mut below = numbers(2);
    let mut tree: PrefixTree<usize> = PrefixTree::default();
    let mut list: Vec<(String, Relation, usize)> = Vec::new();
    let word = |below: &mut dyn FnMut(usize) -> usize| -> String {
        (0..below(6)).map(|_| ["a", "b", "ab", "/"][below(4)]).collect()
    };
    let mut compared = 0;
    for step in 0..6_000 {
        if below(5) < 3 || list.is_empty() {
            let relation = if below(2) == 0 {
                Relation::Equals
            } else {
                Relation::Begins
            };
            let text = word(&mut below);
            tree.insert(&text, relation, step);
            list.push((text, relation, step));
        } else {
            let (text, relation, item) = list.swap_remove(below(list.len()));
            tree.change(&text, relation, &mut |items| items.retain(|i| *i != item));
        }
        let subject = word(&mut below);
        let found: BTreeSet<usize> = tree.matches(&subject).copied().collect();
        let matching = list.iter().filter(|(text, relation, _)| match relation {
            Relation::Equals => *text == subject,
            Relation::Begins => subject.starts_with(text.as_str()),
        });
        assert_eq!(found, matching.map(|(_, _, item)| *item).collect(), "{subject:?}");
        compared += usize::from(!found.is_empty());
    }
    assert!(compared > 1_000, "{compared}");
    for (text, relation, _) in &list {
        tree.change(text, *relation, &mut Vec::clear);
    }
    assert_eq!(tree.nodes(), 1, "what holds nothing disappears");
}

#[test]
fn a_gram_table_offers_every_item_whose_text_the_subject_has() {
    let mut below = numbers(3);
    let mut table: GramTable<Arc<(usize, String)>> = GramTable::default();
    let mut texts = Vec::new();
    for n in 0..400 {
        let text: String = (0..2 + below(10)).map(|_| ["a", "b", "/", "1"][below(4)]).collect();
        let grams = table.choose(&[vec![text.clone()]]).unwrap();
        let item = Arc::new((n, text));
        for gram in &grams {
            table.insert(*gram, Arc::clone(&item));
        }
        texts.push((item, grams));
    }
    let (mut wanted, mut offered) = (0, 0);
    for round in 0..2_000 {
        if round == 1_000 {
            for (item, grams) in texts.drain(..200) {
                for gram in &grams {
                    table.change(*gram, &mut |items| items.retain(|other| !Arc::ptr_eq(other, &item)));
                }
            }
        }
        let subject: String = (0..20).map(|_| ["a", "b", "/", "1"][below(4)]).collect();
        let found: BTreeSet<usize> = table
            .candidates(&subject)
            .into_iter()
            .flatten()
            .map(|item| item.0)
            .collect();
        for (item, _) in texts.iter().filter(|(item, _)| subject.contains(&item.1)) {
            assert!(found.contains(&item.0), "{subject} has {}", item.1);
            wanted += 1;
        }
        assert!(
            found.iter().all(|n| texts.iter().any(|(item, _)| item.0 == *n)),
            "an item that was taken out"
        );
        offered += found.len();
    }
    assert!(
        wanted > 1_000 && offered < 40 * wanted,
        "{wanted} wanted, {offered} offered"
    );
}

#[test]
fn required_texts_stand_in_every_match() {
    let patterns = [
        "^abc$",
        "abc",
        "a.c",
        "a(b|c)d",
        "a(b|cd)*e",
        "(ab)+c",
        "(ab){2,3}",
        "ab?c",
        "(abc|x)y",
        "^a|^b",
        "(?i)ab",
        "a[bc]d",
        "a[a-z]d",
        "(a.b|c.d)x",
        "^(a|b)$|^c$",
        "a$|^b",
        "(^a|b)c",
        "a(?:b(c|d)e|f)g",
        "x*",
        "",
        "a{0}b",
        "a+b",
        "^.*ab",
        "ab.*$",
        r"\bab\b",
        "(a|b|c|d|e)(a|b|c|d|e)ab",
        "(ab|cd|x.y)z",
        "((a|b)c)+d",
        "a()b",
        "(|a)b",
    ];
    let mut below = numbers(4);
    let (mut matched, mut sets) = (0, 0);
    for pattern in patterns {
        let pattern: crate::PathPattern = match pattern {
            "" => continue,
            text => text.parse().unwrap(),
        };
        let required = required::required(&pattern.hir().unwrap());
        sets += required.len();
        for _ in 0..3_000 {
            let subject: String = (0..below(7))
                .map(|_| ["a", "b", "c", "d", "e", "x", "y"][below(7)])
                .collect();
            if pattern.is_match(&subject) {
                matched += 1;
                let wrapped = format!("{}{subject}{}", gram::BEGIN, gram::END);
                for set in &required {
                    assert!(
                        set.iter().any(|text| wrapped.contains(text.as_str())),
                        "{pattern} {subject:?} {set:?}"
                    );
                }
            }
        }
    }
    assert!(matched > 3_000 && sets > 20, "{matched} matches, {sets} sets");
}

fn policy(n: u64, who: &str, path: &str, permission: &str) -> Arc<Policy> {
    sample::policy(n, sample::rule(&format!("policy {n}"), who, path, permission))
}

#[test]
fn many_policies_of_one_class_identity_are_found_by_path() {
    let who = r"^spiffe://example\.org/ns/[a-z0-9-]+/sa/gateway$";
    let policies: Vec<_> = (0..2_000)
        .map(|n| policy(n, who, &format!("^tenants/t{n}/.*$"), "read"))
        .collect();
    let set = PolicySet::new(Generation(1), policies.iter().cloned());
    let view = set.view(&"spiffe://example.org/ns/shop/sa/gateway".parse().unwrap());
    assert_eq!((view.len(), view.policies().count()), (2_000, 2_000));
    for n in [0, 7, 1_999] {
        let found = view
            .find(&format!("tenants/t{n}/x").parse().unwrap(), Permission::Read)
            .unwrap();
        assert_eq!(*found, policies[n]);
    }
    assert!(
        view.find(&"tenants/t2000/x".parse().unwrap(), Permission::Read)
            .is_none()
    );
    assert!(
        set.view(&"spiffe://example.org/ns/shop/sa/gatewayx".parse().unwrap())
            .is_empty()
    );
    let less = set.with(Generation(2), &[], &[policies[7].rule.name.clone()]);
    let view = less.view(&"spiffe://example.org/ns/shop/sa/gateway".parse().unwrap());
    assert_eq!((view.len(), view.generation()), (1_999, Generation(2)));
    assert!(view.find(&"tenants/t7/x".parse().unwrap(), Permission::Read).is_none());
    let names: Vec<_> = policies.iter().map(|p| p.rule.name.clone()).collect();
    let none = set.with(Generation(3), &[], &names);
    assert!(
        none.is_empty()
            && none
                .view(&"spiffe://example.org/ns/shop/sa/gateway".parse().unwrap())
                .is_empty()
    );
}

#[test]
fn a_name_or_an_id_names_one_policy() {
    let (first, second) = (
        policy(1, "spiffe://a/b", "^a$", "read"),
        policy(2, "spiffe://a/b", "^b$", "read"),
    );
    let set = PolicySet::new(Generation(1), [Arc::clone(&first), Arc::clone(&second)]);
    assert_eq!(*set.get(&second.rule.name).unwrap(), second);
    assert_eq!(*set.get_by_id(first.id).unwrap(), first);
    // The same id under another name: the later policy counts, and only it.
    let renamed = Arc::new(Policy {
        id: first.id,
        ..(*policy(3, "spiffe://a/b", "^c$", "read")).clone()
    });
    let next = set.with(Generation(2), &[Arc::clone(&renamed)], &[]);
    assert_eq!(next.len(), 2);
    assert!(next.get(&first.rule.name).is_none() && *next.get_by_id(first.id).unwrap() == renamed);
    assert!(
        next.view(&"spiffe://a/b".parse().unwrap())
            .find(&"a".parse().unwrap(), Permission::Read)
            .is_none()
    );
    assert_eq!(
        (set.len(), set.generation(), next.generation()),
        (2, Generation(1), Generation(2))
    );
}

#[test]
fn policies_of_equal_texts_share_one_program_in_every_generation() {
    let who = |n| format!(r"^spiffe://example\.org/w{n}$");
    let policies: Vec<_> = (0..50)
        .map(|n| policy(n, &who(n), "^tenants/[a-z]+/db$", "read"))
        .collect();
    let set = PolicySet::new(Generation(1), policies.iter().cloned());
    let more = policy(50, &who(50), "^tenants/[a-z]+/db$", "read");
    let next = set.with(Generation(2), &[more], &[policies[0].rule.name.clone()]);
    let first = &next.get(&policies[1].rule.name).unwrap().rule.path;
    assert!(next.iter().all(|p| p.rule.path.shares_program_with(first)));
    assert_eq!(next.len(), 50);
}

#[test]
fn a_list_that_is_searched_often_becomes_an_index_and_answers_as_before() {
    // Each has an identity pattern of its own, and all of them match: lists that no index of one pattern helps with.
    let policies: Vec<_> = (0..300)
        .map(|n| {
            let path = match n % 3 {
                0 => format!("^a/{n}/[a-z]+$"),
                1 => format!("^(a|b)/{n}/"),
                _ => format!("{n}/x$"),
            };
            policy(
                n,
                &format!("^spiffe://example\\.org/[a-z]{{1,{}}}$", n + 10),
                &path,
                "read",
            )
        })
        .collect();
    let set = PolicySet::new(Generation(1), policies.iter().cloned());
    let view = set.view(&"spiffe://example.org/web".parse().unwrap());
    assert_eq!(view.len(), 300);
    let mut below = numbers(6);
    let (mut found, mut made) = (0, 0);
    for search in 0..1_000 {
        let path = format!("{}/{}/{}", ["a", "b"][below(2)], below(320), ["x", "7"][below(2)]);
        let path: crate::AccessPath = path.parse().unwrap();
        let expected = policies.iter().find(|p| p.rule.path.is_match(path.as_str()));
        let answer = view.find(&path, Permission::Read);
        assert_eq!(answer.is_some(), expected.is_some(), "search {search}: {path}");
        if answer.is_none() {
            assert_eq!(view.why_not(&path, Permission::Read), crate::DenyReason::PathUnmatched);
        }
        assert_eq!(view.find(&path, Permission::Write), None);
        found += usize::from(answer.is_some());
        made += usize::from(view.has_index());
    }
    assert!(
        found > 200 && made > 500 && made < 1_000,
        "{found} found, {made} with an index"
    );
}

#[test]
fn what_is_said_at_a_glance_is_what_a_view_says() {
    let mut below = numbers(7);
    let class = |n: usize| format!("^spiffe://example\\.org/[a-z]{{1,{}}}$", n + 1);
    // From a policy or two to more than a glance takes in, by patterns and by policies.
    let (mut brief, mut refused, mut allowed) = (0, 0, 0);
    for (patterns, each) in [(1, 1), (1, 12), (3, 12), (4, 12), (12, 1), (13, 1), (1, 40), (30, 3)] {
        let policies = (0..patterns * each).map(|n| {
            let permission = ["read", "write"][below(2)];
            policy(
                n as u64,
                &class(n % patterns),
                &format!("^t{}/[a-z]+$", below(6)),
                permission,
            )
        });
        let set = PolicySet::new(Generation(1), policies);
        for _ in 0..300 {
            let who: SpiffeId = [
                "spiffe://example.org/a",
                "spiffe://example.org/web",
                "spiffe://example.org/9",
            ][below(3)]
            .parse()
            .unwrap();
            let access = Access {
                permission: [Permission::Read, Permission::Write, Permission::List][below(3)],
                path: format!("t{}/{}", below(7), ["x", "7"][below(2)]).parse().unwrap(),
                who,
            };
            let view = set.view(&access.who);
            let expected = match view.find(&access.path, access.permission) {
                Some(_) => Ok(()),
                None => Err(view.why_not(&access.path, access.permission)),
            };
            match set.glance(&access) {
                Some(answer) => {
                    let blamed = answer.map(|policy| assert!(policy.rule.path.is_match(access.path.as_str())));
                    assert_eq!(blamed, expected, "{patterns} x {each}: {access:?}");
                    allowed += usize::from(expected.is_ok());
                    brief += 1;
                }
                None => refused += 1,
            }
        }
    }
    assert!(
        brief > 800 && refused > 400 && allowed > 100,
        "{brief} {refused} {allowed}"
    );
}
