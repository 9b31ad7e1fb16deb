#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn a_socket_file_has_its_mode_and_goes_away_with_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let (listener, file) = bind_unix(&path, GROUP_MODE).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    drop(file);
    assert!(!path.exists());
    drop(listener);
}

#[test]
fn a_living_process_keeps_its_socket_and_a_dead_one_loses_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let (listener, file) = bind_unix(&path, GROUP_MODE).unwrap();
    assert!(matches!(bind_unix(&path, GROUP_MODE), Err(BindError::InUse(_))));
    drop(listener);
    std::mem::forget(file);
    assert!(path.exists(), "as after kill -9");
    drop(bind_unix(&path, GROUP_MODE).unwrap());
    assert!(!path.exists(), "replaced, then removed by its new owner");
}

#[test]
fn the_socket_of_a_successor_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let (_listener, file) = bind_unix(&path, GROUP_MODE).unwrap();
    let (_successor, _moved) = bind_unix(&directory.path().join("b.sock"), GROUP_MODE).unwrap();
    fs::rename(directory.path().join("b.sock"), &path).unwrap();
    drop(file);
    assert!(path.exists());
}

#[test]
fn what_is_not_a_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    fs::write(&path, "data").unwrap();
    assert!(matches!(bind_unix(&path, GROUP_MODE), Err(BindError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[test]
fn every_address_of_the_host_can_be_bound_and_a_taken_one_is_named() {
    let first = bind_tcp("[::]:0".parse().unwrap()).unwrap();
    let taken = SocketAddr::new(first.local_addr().unwrap().ip(), first.local_addr().unwrap().port());
    assert!(matches!(bind_tcp(taken), Err(BindError::InUse(_))));
}
