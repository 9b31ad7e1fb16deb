//! The cipher, and the root key's shards.
use spike_integration::official;

use super::Line;
use super::commands::SECRET;

/// The cipher in both modes.
pub(super) fn cipher() -> Vec<Line> {
    let line = |name: &str, arguments: &str| {
        let words: Vec<&str> = ["cipher"].into_iter().chain(arguments.split(' ')).collect();
        Line::new(&format!("cipher.{name}"), &words)
    };
    let parts = |name: &str, rest: &str| line(name, &format!("decrypt --version {rest}"));
    vec![
        line("encrypt.file", "encrypt -f plain.txt -o sealed.bin").leaves("sealed.bin"),
        line("decrypt.file", "decrypt -f sealed.bin -o opened.txt").leaves("opened.txt"),
        line("decrypt.long-flags", "decrypt --file sealed.bin --out again.txt").leaves("again.txt"),
        line("decrypt.to-stdout", "decrypt -f sealed.bin"),
        line("encrypt.stdin", "encrypt").with_input("some text"),
        line("encrypt.nothing", "encrypt"),
        line("encrypt.algorithm", "encrypt --algorithm AES").with_input("x"),
        line("encrypt.largest", "encrypt").with_input(vec![b'x'; 65_520]),
        line("encrypt.too-large", "encrypt").with_input(vec![b'x'; 65_537]),
        line("encrypt.missing-file", "encrypt -f nothing.txt"),
        line("encrypt.bad-out", "encrypt -f plain.txt -o nowhere/out"),
        line("encrypt.plaintext", "encrypt --plaintext aGVsbG8=").sealed(),
        line("encrypt.plaintext-bad", "encrypt --plaintext nobase64!"),
        line("decrypt.garbage", "decrypt").with_input("garbage"),
        line("decrypt.nothing", "decrypt"),
        line("decrypt.wrong-tag", "decrypt").with_input(b"\x01abcdefghijkl0123456789abcdef0"),
        parts("decrypt.parts", "1 --nonce {nonce} --ciphertext {ciphertext}"),
        parts(
            "decrypt.parts-algorithm",
            "1 --nonce {nonce} --ciphertext {ciphertext} --algorithm AES",
        ),
        parts("decrypt.parts-version-2", "2 --nonce {nonce} --ciphertext {ciphertext}"),
        parts(
            "decrypt.parts-version-300",
            "300 --nonce {nonce} --ciphertext {ciphertext}",
        ),
        parts("decrypt.short-nonce", "1 --nonce aGk= --ciphertext {ciphertext}"),
        parts("decrypt.bad-nonce", "1 --nonce nobase64! --ciphertext {ciphertext}"),
        parts(
            "decrypt.wrong-ciphertext",
            "1 --nonce {nonce} --ciphertext aGVsbG8gaGVsbG8gaGVsbG8=",
        ),
        line("decrypt.only-nonce", "decrypt --nonce {nonce}"),
        line("decrypt.missing-file", "decrypt -f nothing.bin"),
        line("no-pilot", "encrypt").by(official::LITE).with_input("x"),
    ]
}

const RECOVER: &[&str] = &["operator", "recover"];
const RESTORE: &[&str] = &["operator", "restore"];

/// Saving the shards. The files are in the home of the user who may.
pub(crate) fn recover() -> Vec<Line> {
    let home = official::RECOVER;
    let mut all = vec![
        Line::new("operator.recover.by-pilot", RECOVER),
        Line::new("operator.recover.by-restore", RECOVER).by(official::RESTORE),
        Line::new("operator.recover", RECOVER).by(official::RECOVER),
    ];
    for share in 1..=3 {
        let file = format!("{home}/.spike/recover/spike.recovery.{share}.txt");
        let line = Line::new(&format!("operator.recover.file-{share}"), RECOVER);
        all.push(line.by(official::RECOVER).leaves(&file));
    }
    let elsewhere = Line::new("operator.recover.elsewhere", RECOVER).by(official::RECOVER);
    all.push(elsewhere.with_variable("SPIKE_PILOT_RECOVERY_DIR", "folder"));
    all
}

/// Feeding the shards to a server that has lost its root key; `shards` are the texts of the files.
pub(crate) fn restore(shards: &[String]) -> Vec<Line> {
    let restore = |name: &str, input: &str| {
        Line::new(&format!("operator.restore.{name}"), RESTORE)
            .by(official::RESTORE)
            .with_input(input)
    };
    let sealed = |name: &str, arguments: &[&str]| Line::new(&format!("sealed.{name}"), arguments);
    let mut all = vec![
        sealed("secret-list", &["secret", "list"]),
        sealed("secret-get", &["secret", "get", SECRET]),
        sealed("policy-list", &["policy", "list"]),
        sealed("encrypt", &["cipher", "encrypt"]).with_input("x"),
        sealed("recover", RECOVER).by(official::RECOVER),
        Line::new("operator.restore.by-pilot", RESTORE).with_input(&shards[0]),
        Line::new("operator.restore.by-recover", RESTORE)
            .by(official::RECOVER)
            .with_input(&shards[0]),
        restore("nothing", ""),
        restore("garbage", "garbage\n"),
        restore("no-number", &format!("spike:x:{}\n", "05".repeat(32))),
        restore("short", "spike:1:0505\n"),
        restore("no-hex", &format!("spike:1:{}\n", "zz".repeat(32))),
        restore("other-word", &shards[0].replace("spike", "spoke")),
    ];
    all.push(restore("first", &format!("{}\n", shards[0])));
    all.push(restore("first-again", &format!("{}\n", shards[0])));
    all.push(restore("second-without-line-break", &shards[2]));
    all.push(restore("one-more", &format!("{}\n", shards[1])));
    all.push(Line::new(
        "restored.secret-get",
        &["secret", "get", SECRET, "-f", "json"],
    ));
    all.push(Line::new("restored.policy-get", &["policy", "get", "from-file"]));
    all
}
