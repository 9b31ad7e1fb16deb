//! Policy files in YAML and policies in JSON: rules or faults, and what was read can be written and read again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use spike_policy::{Fault, PolicyDocument, Rule, lint, parse_rules, parse_yaml, to_yaml};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = parse_yaml(text) {
        let documents: Vec<PolicyDocument> = read.into_iter().map(|(document, _)| document).collect();
        written_and_read(&documents);
    }
    match parse_rules(text) {
        Ok(rules) => {
            let rules: Vec<Rule> = rules.into_iter().map(|(rule, _)| rule).collect();
            let documents: Vec<PolicyDocument> = rules.iter().map(PolicyDocument::from).collect();
            written_and_read(&documents);
            let again = parse_rules(&to_yaml(&documents)).unwrap();
            assert!(again.iter().map(|(rule, _)| rule).eq(&rules));
            for rule in &rules {
                drop(lint(rule));
            }
        }
        Err(faults) => tell(&faults, text),
    }
    if let Ok(document) = serde_json::from_str::<PolicyDocument>(text) {
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<PolicyDocument>(&json).unwrap(), document);
        if let Err(faults) = Rule::try_from(&document) {
            tell(&faults, text);
        }
    }
});

fn written_and_read(documents: &[PolicyDocument]) {
    let text = to_yaml(documents);
    let again = parse_yaml(&text).unwrap_or_else(|faults| panic!("{faults:?} in\n{text}"));
    assert!(again.iter().map(|(document, _)| document).eq(documents), "{text}");
}

/// No refusal without a reason, none that floods the screen, and each place lies in the text.
fn tell(faults: &[Fault], text: &str) {
    assert!(!faults.is_empty() && faults.len() <= 110);
    for fault in faults {
        assert!(!fault.text.is_empty() && fault.text.len() < 4096, "{fault}");
        if let Some(position) = fault.position {
            assert!(position.line >= 1 && position.column >= 1);
            assert!(position.line <= text.split(['\n', '\r']).count() + 1, "{fault}");
        }
    }
}
