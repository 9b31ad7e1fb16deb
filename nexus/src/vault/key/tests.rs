use super::*;

const STORE: Uuid = Uuid::from_bytes([9; 16]);

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Computed with Python's `hmac`: one known answer per label, so that no label can change unnoticed.
#[test]
fn every_purpose_has_its_own_key_for_ever() {
    let root = RootKey::take(&mut [7; 32]);
    let term = TermSecret::from(&[5; 32]);
    let answers = [
        (
            root.derive(&STORE, Purpose::Keyring),
            "70becc0206948bb314b370d48c9fb60d39ca2a64724c75ab513d303012da0b03",
        ),
        (
            root.derive(&STORE, Purpose::KeyCheck),
            "109c9955889976cd4e40e58054d3d8dc3b7927accb8fa93a8f9333fea1daf9ba",
        ),
        (
            term.derive(&STORE, Purpose::Records),
            "d5e3c711bbd81794001433c55a0cffce7723942b5cbd4b7036b085b674ce8788",
        ),
        (
            term.derive(&STORE, Purpose::Messages),
            "50578fd51cab1006585c4d648e065023601a5793245e400fae5877773589d5e5",
        ),
    ];
    for (key, expected) in answers {
        assert_eq!(hex(key.as_slice()), expected);
    }
}

#[test]
fn taking_a_key_wipes_where_it_came_from() {
    let mut bytes = [7; 32];
    let key = RootKey::take(&mut bytes);
    assert_eq!((bytes, key.expose_secret()), ([0; 32], &[7; 32]));
}

#[test]
fn terms_count_from_one() {
    assert_eq!(KeyTerm::try_from(0), Err(InvalidKeyTerm));
    assert_eq!(KeyTerm::FIRST.next().map(KeyTerm::get), Some(2));
    assert_eq!(KeyTerm::try_from(u32::MAX).map(KeyTerm::next), Ok(None));
}
