//! Raw DER, for certificates that a certificate library will not make.

/// One element: tag, length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(u8::try_from(short).unwrap()),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap());
            out.extend(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A subject alternative name extension's value with these names (`[6]` is a URI, `[2]` a DNS name).
pub(crate) fn names(list: &[(u8, &[u8])]) -> Vec<u8> {
    element(
        0x30,
        &list
            .iter()
            .flat_map(|(number, value)| element(0x80 | number, value))
            .collect::<Vec<_>>(),
    )
}

/// The three parts of a certificate: what is signed, the algorithm, the signature (each with its tag and length).
pub(crate) fn parts(certificate: &[u8]) -> [&[u8]; 3] {
    let (body, rest) = content(certificate);
    assert!(rest.is_empty());
    let (first, rest) = split(body);
    let (second, third) = split(rest);
    [first, second, third]
}

/// The three parts put together again.
pub(crate) fn certificate(signed: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(signature);
    element(0x30, &[signed, algorithm, &element(0x03, &bits)].concat())
}

/// Replaces every occurrence of `old` by `new` of the same length, and demands that there is one.
pub(crate) fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut out = bytes.to_vec();
    let mut found = 0;
    for at in 0..=out.len().saturating_sub(old.len()) {
        if out[at..].starts_with(old) {
            out[at..at + old.len()].copy_from_slice(new);
            found += 1;
        }
    }
    assert!(found > 0, "nothing to replace");
    out
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (_, rest) = content(bytes);
    bytes.split_at(bytes.len() - rest.len())
}

fn content(bytes: &[u8]) -> (&[u8], &[u8]) {
    let first = usize::from(bytes[1]);
    let (length, header) = if first < 0x80 {
        (first, 2)
    } else {
        let count = first & 0x7f;
        (
            bytes[2..2 + count]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            2 + count,
        )
    };
    bytes[header..].split_at(length)
}
