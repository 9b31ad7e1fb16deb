#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const AUDIENCE: &str = "nexus";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn token(key: &JwtKey, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": key.public.kid});
    sealed(key, &header, claims)
}

fn sealed(key: &JwtKey, header: &Value, claims: &Value) -> String {
    let signed = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    );
    let signature = key.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64.encode(signature.as_ref()))
}

fn claims() -> Value {
    json!({"sub": "spiffe://example.org/a", "aud": [AUDIENCE], "exp": unix(now()) + 60})
}

fn check(token: &str, keys: &[JwtPublic]) -> Result<String, InvalidToken> {
    let bundle = |domain: &str| if domain == "example.org" { keys } else { &[] };
    validate(token, AUDIENCE, now(), bundle).map(|(id, _)| id.to_string())
}

#[test]
fn a_token_that_was_signed_is_accepted_by_each_of_its_audiences_until_it_expires() {
    let key = JwtKey::generate().unwrap();
    let keys = [key.public().clone()];
    let id: SpiffeId = "spiffe://example.org/a".parse().unwrap();
    let audience = ["first".to_owned(), "second".to_owned()];
    let token = key.sign(&id, &audience, (now(), Duration::from_secs(60))).unwrap();
    let at = |audience: &str, seconds| {
        validate(&token, audience, now() + Duration::from_secs(seconds), |_| &keys).map(|(id, _)| id.to_string())
    };
    for audience in ["first", "second"] {
        assert_eq!(at(audience, 59).as_deref(), Ok("spiffe://example.org/a"));
        assert_eq!(at(audience, 60), Err(InvalidToken::Expired));
    }
    assert_eq!(at("third", 0), Err(InvalidToken::Audience));
}

#[test]
fn a_key_survives_being_stored() {
    let key = JwtKey::generate().unwrap();
    let again = JwtKey::from_pkcs8(Zeroizing::new(key.pkcs8().to_vec())).unwrap();
    assert_eq!(again.public(), key.public());
}

#[test]
fn a_token_with_one_thing_wrong_is_refused_for_that_thing() {
    let key = JwtKey::generate().unwrap();
    let stranger = JwtKey::generate().unwrap();
    let keys = [key.public().clone()];
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().insert(name.to_owned(), value);
        token(&key, &claims)
    };
    let header = |header: Value| sealed(&key, &header, &claims());
    let good = token(&key, &claims());
    assert_eq!(check(&good, &keys).as_deref(), Ok("spiffe://example.org/a"));
    let forged = sealed(&stranger, &json!({"alg": "ES256", "kid": key.public.kid}), &claims());
    let cut = good.rsplit_once('.').unwrap().0;
    let cases = [
        (String::new(), InvalidToken::Shape),
        ("a.b".to_owned(), InvalidToken::Shape),
        (format!("{good}.x"), InvalidToken::Shape),
        (format!("{cut}."), InvalidToken::Signature),
        (header(json!({"alg": "none"})), InvalidToken::Algorithm),
        (
            header(json!({"alg": "HS256", "kid": key.public.kid})),
            InvalidToken::Algorithm,
        ),
        (header(json!({"kid": key.public.kid})), InvalidToken::Algorithm),
        (header(json!({"alg": "ES256"})), InvalidToken::UnknownKey),
        (token(&stranger, &claims()), InvalidToken::UnknownKey),
        (forged, InvalidToken::Signature),
        (with("sub", json!("example.org/a")), InvalidToken::Subject),
        (with("sub", json!("spiffe://other.org/a")), InvalidToken::UnknownKey),
        (with("exp", json!(unix(now()))), InvalidToken::Expired),
        (with("exp", Value::Null), InvalidToken::Expired),
        (with("exp", json!("tomorrow")), InvalidToken::Expired),
        (with("aud", json!([])), InvalidToken::Audience),
        (with("aud", Value::Null), InvalidToken::Audience),
        (with("aud", json!("nexu")), InvalidToken::Audience),
    ];
    for (token, error) in cases {
        assert_eq!(check(&token, &keys), Err(error), "{token}");
    }
}

#[test]
fn the_key_set_has_what_a_verifier_needs() {
    let key = JwtKey::generate().unwrap();
    let set: Value = serde_json::from_str(&key_set(&[key.public().clone()])).unwrap();
    let jwk = set.pointer("/keys/0").unwrap();
    for (name, value) in [("kty", "EC"), ("crv", "P-256"), ("use", "jwt-svid"), ("alg", "ES256")] {
        assert_eq!(jwk.get(name).and_then(Value::as_str), Some(value));
    }
    let part = |name: &str| BASE64.decode(jwk.get(name).unwrap().as_str().unwrap()).unwrap();
    assert_eq!([vec![4], part("x"), part("y")].concat(), key.public.point);
}
