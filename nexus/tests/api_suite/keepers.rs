//! A Nexus whose root key is at Keepers: sealed until enough of them answer, whatever the others do.
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use spike_identity::authority::TestAuthority;
use spike_nexus::config::Backend;
use spike_nexus::keeper::{Keepers, Peers, Settings};
use spike_nexus::store::{Options, Store, UnsealStoreError};
use spike_nexus::vault::{Custody, HandedOver, RootKey, RootKeySource, Share, Sharing};
use spike_nexus::{Config, Journal};
use spike_runtime::clock::FakeClock;
use spike_runtime::metrics::Registry;
use tempfile::TempDir;

use crate::audited::{Audited, events};
use crate::harness::{Row, World, roles};
use crate::keeper::TestKeeper;

const OPERATOR: &str = "/spike/pilot/role/restore";
/// The present: readiness looks at the life of the SVID, too.
fn clock() -> FakeClock {
    FakeClock::at(std::time::SystemTime::now())
}

const MADE_UP: [u8; 32] = [5; 32];
const GET: (&str, &str) = ("/v1/store/secrets?action=get", r#"{"path":"a"}"#);
const PUT: (&str, &str) = ("/v1/store/secrets", r#"{"path":"a","values":{"k":"v"}}"#);
const NOT_READY: &str = r#"{"err":"state_not_ready"}"#;
const FOUND: &str = r#"{"data":{"k":"v"}}"#;

/// Three Keepers and a directory for the database of the Nexus that they serve.
struct Field {
    authority: Arc<TestAuthority>,
    keepers: Vec<TestKeeper>,
    directory: TempDir,
    update_interval: Duration,
}

/// The shares of a root key whose bytes are all `byte`.
fn shares(byte: u8) -> Vec<Share> {
    RootKey::take(&mut [byte; 32]).split(Sharing::default()).unwrap()
}

fn value(shares: &[Share], id: usize) -> [u8; 32] {
    *shares[id - 1].value
}

impl Field {
    async fn new() -> Self {
        Self::with(&["/spike/keeper", "/spike/keeper/2", "/spike/keeper/3"]).await
    }

    async fn with(paths: &[&str]) -> Self {
        let authority = Arc::new(TestAuthority::new("example.org").unwrap());
        let mut keepers = Vec::new();
        for path in paths {
            keepers.push(TestKeeper::start(&authority.identity(path).unwrap()).await);
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Self {
            authority,
            keepers,
            directory,
            update_interval: Duration::from_secs(3600),
        }
    }

    /// Gives Keepers shares, as SPIKE Bootstrap does: pairs of position and the byte of the root key.
    fn bootstrap(&self, held: &[(usize, u8)]) {
        for (position, byte) in held {
            self.keepers[position - 1].hold(value(&shares(*byte), *position));
        }
    }

    fn database(&self) -> std::path::PathBuf {
        self.directory.path().join("nexus.redb")
    }

    fn settings(&self) -> Settings {
        Settings {
            peers: Peers::new(self.keepers.iter().map(TestKeeper::url).collect()).unwrap(),
            trust_roots: roles().keeper,
            update_interval: self.update_interval,
            timeout: Duration::from_secs(10),
        }
    }

    fn nexus(&self) -> World {
        self.audited_nexus(Journal::off())
    }

    fn audited_nexus(&self, journal: Journal) -> World {
        let (database, settings) = (self.database(), self.settings());
        let change = |config: &mut Config| {
            config.backend = Backend::Redb {
                database,
                root_key: RootKeySource::Keepers,
            };
            config.keepers = Some(settings);
        };
        World::open(&self.authority, (change, journal), &clock())
    }

    /// A database under the key file's key, made before there were Keepers.
    async fn database_under(&self, byte: u8) {
        let key = self.directory.path().join("root.key");
        std::fs::write(&key, [byte; 32]).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (database, root_key) = (self.database(), RootKeySource::KeyFile(key.clone()));
        let change = |config: &mut spike_nexus::Config| config.backend = Backend::Redb { database, root_key };
        let mut world = World::of(&self.authority, change, &clock());
        put(&world).await;
        world.stop().await.unwrap();
        std::fs::remove_file(key).unwrap();
    }
}

async fn put(world: &World) {
    assert_eq!(world.post("pilot", PUT.0, PUT.1).await.status, 200);
}

async fn assert_served(world: &World) {
    world.readiness.ready().await;
    world.check(&[Row("pilot", GET.0, GET.1, 200, FOUND)]).await;
}

/// Waits until a Keeper has been asked so often.
async fn asked(keeper: &TestKeeper, times: usize) {
    while keeper.asked() < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn bytes_of(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn it_starts_sealed_and_opens_by_itself_when_enough_shards_are_there() {
    let field = Field::new().await;
    let mut world = field.nexus();
    let tried = world
        .check(&[
            Row("pilot", GET.0, GET.1, 503, NOT_READY),
            Row("pilot", PUT.0, PUT.1, 503, NOT_READY),
            Row("lite", "/v1/cipher/encrypt", "{}", 503, NOT_READY),
            Row("/spike/bootstrap", "/v1/bootstrap/verify", "{}", 503, NOT_READY),
            Row("pilot", "/nowhere", "{}", 503, NOT_READY),
        ])
        .await;
    assert_eq!(tried, 5);
    asked(&field.keepers[2], 2).await;
    assert_eq!(world.readiness.waits_for(), ["root_key"]);
    // One shard is not enough.
    field.bootstrap(&[(2, 7)]);
    let before = field.keepers[2].asked();
    asked(&field.keepers[2], before + 2).await;
    assert!(!world.readiness.is_ready());
    assert!(!field.database().exists());
    field.bootstrap(&[(3, 7)]);
    world.readiness.ready().await;
    put(&world).await;
    // The Keeper that had none gets its own.
    field.keepers[0].holds(value(&shares(7), 1)).await;
    world.stop().await.unwrap();

    let world = field.nexus();
    assert_served(&world).await;
}

#[tokio::test]
async fn one_keeper_with_a_shard_of_another_key_does_not_lock_it_out_and_is_put_right() {
    for stale in 1..=3 {
        let field = Field::new().await;
        field.database_under(7).await;
        field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
        field.bootstrap(&[(stale, 9)]);
        let world = field.nexus();
        assert_served(&world).await;
        field.keepers[stale - 1].holds(value(&shares(7), stale)).await;
    }
}

#[tokio::test]
async fn shards_that_are_all_zero_or_no_shares_at_all_are_not_used() {
    let field = Field::new().await;
    field.bootstrap(&[(2, 7)]);
    field.keepers[0].hold([0; 32]);
    field.keepers[2].hold([0xff; 32]);
    let world = field.nexus();
    asked(&field.keepers[2], 2).await;
    assert!(!world.readiness.is_ready());
    field.bootstrap(&[(3, 7)]);
    world.readiness.ready().await;
    field.keepers[0].holds(value(&shares(7), 1)).await;
}

#[tokio::test]
async fn an_impostor_is_never_given_a_shard_nor_believed() {
    let field = Field::with(&["/workload/keeper", "/spike/keeper/2", "/spike/keeper/3"]).await;
    field.database_under(7).await;
    field.bootstrap(&[(1, 7), (2, 7)]);
    let world = field.nexus();
    asked(&field.keepers[2], 2).await;
    assert!(!world.readiness.is_ready());
    assert_eq!(field.keepers[0].asked(), 0);
    field.bootstrap(&[(3, 7)]);
    assert_served(&world).await;
    field.keepers[0].hold([1; 32]);
    field.keepers[1].given(2).await;
    assert_eq!(field.keepers[0].held(), Some([1; 32]), "nothing was sent to it");
    let counts = world.registry.encode().unwrap();
    for series in [
        r#"spike_keeper_calls_total{call="ask",outcome="wrong_identity"}"#,
        r#"spike_keeper_calls_total{call="give",outcome="wrong_identity"}"#,
        r#"spike_keeper_calls_total{call="give",outcome="ok"}"#,
    ] {
        assert!(counts.contains(series), "{counts}");
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_the_database_is_never_used() {
    let field = Field::new().await;
    field.database_under(7).await;
    let before = bytes_of(&field.database());
    field.bootstrap(&[(1, 9), (2, 9), (3, 9)]);
    let world = field.nexus();
    asked(&field.keepers[0], 3).await;
    world.check(&[Row("pilot", GET.0, GET.1, 503, NOT_READY)]).await;
    assert!(bytes_of(&field.database()) == before, "the database was touched");
    let held: Vec<_> = field.keepers.iter().map(TestKeeper::held).collect();
    let nines = shares(9);
    assert_eq!(held, [1, 2, 3].map(|id| Some(value(&nines, id))), "nothing was sent");
    field.bootstrap(&[(1, 7), (3, 7)]);
    assert_served(&world).await;
}

#[tokio::test]
async fn shards_that_do_not_belong_together_make_no_database() {
    let field = Field::new().await;
    field.bootstrap(&[(1, 7), (2, 9), (3, 11)]);
    let world = field.nexus();
    asked(&field.keepers[0], 3).await;
    assert!(!world.readiness.is_ready());
    assert!(!field.database().exists());
    field.bootstrap(&[(2, 11)]);
    world.readiness.ready().await;
    field.keepers[0].holds(value(&shares(11), 1)).await;
}

#[tokio::test]
async fn every_keeper_and_the_nexus_may_be_restarted_one_after_the_other() {
    let mut field = Field::new().await;
    field.update_interval = Duration::from_millis(100);
    field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
    let mut world = field.nexus();
    world.readiness.ready().await;
    put(&world).await;
    for position in 1..=3 {
        let keeper = field.keepers.remove(position - 1).restart().await;
        keeper.holds(value(&shares(7), position)).await;
        field.keepers.insert(position - 1, keeper);
        world.stop().await.unwrap();
        world = field.nexus();
        assert_served(&world).await;
    }
    // All at once, while the Nexus lives.
    for position in 1..=3 {
        let keeper = field.keepers.remove(position - 1).restart().await;
        field.keepers.insert(position - 1, keeper);
    }
    for position in 1..=3 {
        field.keepers[position - 1].holds(value(&shares(7), position)).await;
    }
    assert_served(&world).await;
}

#[tokio::test]
async fn it_opens_with_two_keepers_when_the_third_is_gone() {
    let mut field = Field::new().await;
    field.database_under(7).await;
    field.bootstrap(&[(1, 7), (3, 7)]);
    let settings = field.settings();
    field.keepers.remove(1).stop().await;
    let (database, root_key) = (field.database(), RootKeySource::Keepers);
    let world = World::of(
        &field.authority,
        |config| {
            config.backend = Backend::Redb { database, root_key };
            config.keepers = Some(settings);
        },
        &clock(),
    );
    assert_served(&world).await;
}

#[tokio::test]
async fn operators_may_bring_the_key_and_the_keepers_get_it_at_once() {
    let field = Field::new().await;
    field.database_under(7).await;
    let world = field.nexus();
    let shares = shares(7);
    let restore = |id: usize| serde_json::json!({"id": id, "shard": value(&shares, id)}).to_string();
    let (one, three) = (restore(1), restore(3));
    let made_up = serde_json::json!({"id": 2, "shard": MADE_UP}).to_string();
    let bad = r#"{"collected":0,"remaining":0,"restored":false,"err":"api_bad_request"}"#;
    let half = r#"{"collected":1,"remaining":1,"restored":false}"#;
    let whole = r#"{"collected":2,"remaining":0,"restored":true}"#;
    world
        .check(&[
            Row(OPERATOR, "/v1/operator/restore", &one, 200, half),
            Row(OPERATOR, "/v1/operator/restore", &made_up, 400, bad),
            Row(OPERATOR, "/v1/operator/restore", &one, 200, half),
            Row(OPERATOR, "/v1/operator/restore", &three, 200, whole),
            Row("pilot", GET.0, GET.1, 200, FOUND),
        ])
        .await;
    for id in 1..=3 {
        field.keepers[id - 1].holds(value(&shares, id)).await;
    }
    assert_served(&world).await;
}

#[tokio::test]
async fn operators_shares_that_do_not_belong_together_make_no_database() {
    let field = Field::new().await;
    let world = field.nexus();
    let sevens = shares(7);
    let restore = |id: usize, value: [u8; 32]| serde_json::json!({"id": id, "shard": value}).to_string();
    let (one, two) = (restore(1, value(&sevens, 1)), restore(2, value(&sevens, 2)));
    let other = restore(2, value(&shares(9), 2));
    let bad = r#"{"collected":0,"remaining":0,"restored":false,"err":"api_bad_request"}"#;
    let half = r#"{"collected":1,"remaining":1,"restored":false}"#;
    world
        .check(&[
            Row(OPERATOR, "/v1/operator/restore", &one, 200, half),
            Row(OPERATOR, "/v1/operator/restore", &other, 400, bad),
        ])
        .await;
    assert!(!field.database().exists());
    let whole = r#"{"collected":2,"remaining":0,"restored":true}"#;
    world
        .check(&[
            Row(OPERATOR, "/v1/operator/restore", &two, 200, half),
            Row(OPERATOR, "/v1/operator/restore", &one, 200, whole),
            Row("pilot", PUT.0, PUT.1, 200, "{}"),
        ])
        .await;
    field.keepers[2].holds(value(&sevens, 3)).await;
}

#[tokio::test]
async fn keepers_take_a_new_key_and_give_it_back() {
    let field = Field::new().await;
    let identity = field.authority.identity("/spike/nexus").unwrap();
    let keepers = Keepers::new(
        &field.settings(),
        (&identity, &Registry::new("test", "0")),
        Sharing::default(),
    );
    let key = |byte: u8| Arc::new(RootKey::take(&mut [byte; 32]));
    field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
    assert_eq!(keepers.hand_over(key(9)).await.unwrap(), HandedOver::Kept);
    let held = || field.keepers.iter().map(TestKeeper::held).collect::<Vec<_>>();
    let of = |byte: u8| [1, 2, 3].map(|id| Some(value(&shares(byte), id)));
    assert_eq!(held(), of(9));
    keepers.take_back(key(7)).await.unwrap();
    assert_eq!(held(), of(7));
    let answers = keepers.collect().await;
    assert!(answers.iter().all(|answer| answer.said.is_ok()), "{answers:?}");
}

#[tokio::test]
async fn a_new_key_is_sent_to_nobody_while_one_keeper_is_gone() {
    let mut field = Field::new().await;
    let identity = field.authority.identity("/spike/nexus").unwrap();
    let keepers = Keepers::new(
        &field.settings(),
        (&identity, &Registry::new("test", "0")),
        Sharing::default(),
    );
    field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
    let url = field.keepers[1].url();
    field.keepers.remove(1).stop().await;
    let key = |byte: u8| Arc::new(RootKey::take(&mut [byte; 32]));
    let error = keepers.hand_over(key(9)).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("keepers: Keeper 2 (`{url}`): unreachable: ")),
        "{error}"
    );
    let of_seven = [1, 3].map(|id| Some(value(&shares(7), id)));
    assert_eq!(field.keepers.iter().map(TestKeeper::held).collect::<Vec<_>>(), of_seven);
    keepers.take_back(key(7)).await.unwrap();
}

#[tokio::test]
async fn a_new_key_that_one_keeper_does_not_take_is_not_kept_and_can_be_taken_back() {
    let field = Field::new().await;
    let identity = field.authority.identity("/spike/nexus").unwrap();
    let keepers = Keepers::new(
        &field.settings(),
        (&identity, &Registry::new("test", "0")),
        Sharing::default(),
    );
    field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
    field.keepers[1].refuse();
    let key = |byte: u8| Arc::new(RootKey::take(&mut [byte; 32]));
    let error = keepers.hand_over(key(9)).await.unwrap_err().to_string();
    assert!(error.ends_with("it answered with status 500"), "{error}");
    let held = || field.keepers.iter().map(TestKeeper::held).collect::<Vec<_>>();
    assert_eq!(held()[0], Some(value(&shares(9), 1)));
    keepers.take_back(key(7)).await.unwrap();
    assert_eq!(held(), [1, 2, 3].map(|id| Some(value(&shares(7), id))));
}

#[tokio::test]
async fn a_change_of_the_root_key_goes_to_the_keepers_and_outlives_restarts() {
    let mut field = Field::new().await;
    field.update_interval = Duration::from_millis(100);
    field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
    let mut world = field.nexus();
    world.readiness.ready().await;
    put(&world).await;
    let answer = world.post("pilot", "/v1/operator/rekey", "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let new = field.keepers[0].held().unwrap();
    assert_ne!(new, value(&shares(7), 1));
    // What is sent again and again from now on is the new one.
    for position in 1..=3 {
        let keeper = &field.keepers[position - 1];
        keeper.hold([1; 32]);
        keeper.given(keeper.times_given() + 2).await;
    }
    assert_eq!(field.keepers[0].held(), Some(new));
    world.stop().await.unwrap();
    let world = field.nexus();
    assert_served(&world).await;
    field.keepers[0].holds(new).await;
}

/// The process ended in the middle of a change of the root key: the database opens with both keys, and some Keepers
/// have their shard of the new one.
#[tokio::test]
async fn whatever_a_cut_off_change_of_the_root_key_leaves_behind_opens_and_is_settled() {
    let mut tried = 0;
    for (held, settled) in [([7, 7, 7], 7), ([9, 7, 7], 7), ([9, 9, 7], 9), ([9, 9, 9], 9)] {
        let field = Field::new().await;
        field.database_under(7).await;
        let store = Store::open(Options::new(field.database(), RootKeySource::Keepers)).unwrap();
        store.unseal(RootKey::take(&mut [7; 32])).await.unwrap();
        store.begin_rekey(Arc::new(RootKey::take(&mut [9; 32]))).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        field.bootstrap(&[(1, held[0]), (2, held[1]), (3, held[2])]);
        let mut world = field.nexus();
        assert_served(&world).await;
        for position in 1..=3 {
            field.keepers[position - 1]
                .holds(value(&shares(settled), position))
                .await;
        }
        world.stop().await.unwrap();
        // The other key opens nothing any more.
        let other = if settled == 7 { 9 } else { 7 };
        let store = Store::open(Options::new(field.database(), RootKeySource::Keepers)).unwrap();
        let error = store.unseal(RootKey::take(&mut [other; 32])).await.unwrap_err();
        assert_eq!(error, UnsealStoreError::WrongKey, "{held:?}");
        tried += 1;
    }
    assert_eq!(tried, 4);
}

#[tokio::test]
async fn the_audit_says_once_how_keepers_opened_it_and_who_holds_a_shard() {
    let field = Field::new().await;
    field.database_under(7).await;
    let audited = Audited::new(|_| {});
    // Shards that prove each other, of a key that is not this database's; they are asked for again and again.
    field.bootstrap(&[(1, 9), (2, 9), (3, 9)]);
    field.keepers[1].refuse();
    let mut world = field.audited_nexus(audited.journal.clone());
    asked(&field.keepers[2], 3).await;
    field.bootstrap(&[(1, 7), (2, 7), (3, 7)]);
    world.readiness.ready().await;
    field.keepers[0].given(1).await;
    while !audited.memory.text().contains("shards_given") {
        tokio::task::yield_now().await;
    }
    world.stop().await.unwrap();
    let (text, lines) = audited.finish();
    let told = events(&lines, "lifecycle");
    let of = |what: &str| -> Vec<(String, String, String)> {
        let texts = told.iter().filter(|line| line["what"] == what).map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("outcome"), text("subject"), text("reason"))
        });
        texts.collect()
    };
    let opened = of("unsealed");
    let subject = "store, with the shards of Keepers 1, 2, 3";
    // Each outcome once, however many rounds it lasts. While the shards are changed, one round may see some of each.
    assert!(opened.windows(2).all(|pair| pair[0] != pair[1]), "{opened:?}");
    assert_eq!((opened[0].0.as_str(), opened[0].1.as_str()), ("refused", subject));
    assert!(opened[0].2.starts_with("wrong key"), "{opened:?}");
    let last = opened.last().unwrap();
    assert_eq!((last.0.as_str(), last.2.as_str()), ("ok", ""), "{opened:?}");
    assert!(
        last.1.starts_with("store, with the shards of Keepers 1, 2"),
        "{opened:?}"
    );
    let given = of("shards_given");
    assert_eq!((given[0].0.as_str(), given[0].1.as_str()), ("refused", "Keepers 1, 3"));
    assert!(given[0].2.starts_with("Keeper 2: "), "{given:?}");
    for byte in [7, 9] {
        for share in shares(byte) {
            let hex = share
                .value
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            assert!(!text.contains(&hex) && !text.contains(&format!("{:?}", &share.value[..])));
        }
    }
}
