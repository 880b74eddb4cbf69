//! The CA over its life, checked as a client's library would check it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use iron_policy::config::Policy;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tempfile::TempDir;

use super::leaves::Signer;
use super::*;

const DAY: Duration = Duration::from_hours(24);

fn folder() -> (TempDir, Folder) {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder::new(outer.path().join("ca"));
    (outer, folder)
}

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

fn of(lines: &str) -> Permitted {
    Permitted::of(&Policy::parse(lines).unwrap())
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whether a client that trusts `root` takes `leaf` for `name` at this time.
fn accepts(
    root: &CertificateDer<'static>,
    leaf: &CertificateDer<'_>,
    name: &str,
    at: SystemTime,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    verifier.verify_server_cert(leaf, &[], &name, &[], at).is_ok()
}

/// A CA that permits `needed`, and a leaf of its for these names, whether it may have them or not.
fn signed(
    needed: &Permitted,
    names: &[&str],
    now: SystemTime,
) -> (CertificateDer<'static>, CertificateDer<'static>) {
    let ca = Ca::issue(certificate::new_key().unwrap(), needed, now).unwrap();
    let names: Vec<_> = names.iter().map(|name| host(name)).collect();
    let (leaf, _) = ca.leaf(&certificate::new_key().unwrap(), &names, now).unwrap();
    (ca.der, leaf)
}

#[test]
fn clients_take_leaves_of_permitted_hosts_and_no_others() {
    let now = SystemTime::now();
    let needed = of("[connect]\nintercept = [\"*.example.org\", \"10.0.0.5\"]\n");
    for name in [
        "localhost",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "api.openai.com",
        "a.example.org",
        "10.0.0.5",
    ] {
        let (root, leaf) = signed(&needed, &[name], now);
        assert!(accepts(&root, &leaf, name, now), "{name}");
        assert!(!accepts(&root, &leaf, "other.example.org", now), "{name}");
    }
    for name in ["example.com", "openai.com", "10.0.0.6", "::2", "192.168.0.1"] {
        let (root, leaf) = signed(&needed, &[name], now);
        assert!(!accepts(&root, &leaf, name, now), "{name}");
    }
    let (root, leaf) =
        signed(&of("[connect]\nother_hosts = \"intercept\"\n"), &["example.com"], now);
    assert!(accepts(&root, &leaf, "example.com", now));
}

#[test]
fn a_leaf_lasts_a_day_and_begins_an_hour_early() {
    let now = SystemTime::now();
    let (root, leaf) = signed(&Permitted::known(), &["localhost"], now);
    let hour = Duration::from_hours(1);
    for (at, taken) in [
        (now - hour + Duration::from_secs(2), true),
        (now - hour - Duration::from_secs(2), false),
        (now + DAY - Duration::from_secs(2), true),
        (now + DAY + Duration::from_secs(2), false),
    ] {
        assert_eq!(accepts(&root, &leaf, "localhost", at), taken);
    }
}

#[test]
fn the_first_start_makes_files_and_the_next_ones_read_them() {
    let (_outer, folder) = folder();
    let first = Authority::open(folder.clone(), Permitted::known()).unwrap().facts().unwrap();
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(&folder.key()), 0o600);
    let certificate = fs::read_to_string(folder.certificate()).unwrap();
    let bundle = fs::read_to_string(folder.bundle()).unwrap();
    assert!(bundle.ends_with(&certificate) && certificate.matches("BEGIN").count() == 1);
    assert_eq!(bundle.matches("BEGIN").count(), 1 + system_roots().len());
    assert!(!bundle.contains("PRIVATE") && !certificate.contains("PRIVATE"));
    assert!(first.subject.starts_with("Iron Cage local CA "));
    assert_eq!(first.fingerprint.len(), 32 * 3 - 1);

    let again = Authority::open(folder.clone(), Permitted::known()).unwrap();
    assert_eq!(again.facts().unwrap(), first);
    assert_eq!(folder.facts().unwrap().unwrap(), first);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 4, "no half-written file stays: {left:?}");
}

#[test]
fn a_first_start_that_broke_off_is_finished() {
    let (_outer, folder) = folder();
    let locked = folder.lock().unwrap();
    locked.write_key(&certificate::new_key().unwrap()).unwrap();
    drop(locked);
    let key = fs::read(folder.key()).unwrap();
    Authority::open(folder.clone(), Permitted::known()).unwrap();
    assert_eq!(fs::read(folder.key()).unwrap(), key);
}

#[test]
fn files_that_cannot_be_trusted_are_refused_with_what_to_do() {
    let refused = |folder: &Folder| {
        Authority::open(folder.clone(), Permitted::known()).unwrap_err().to_string()
    };
    let (_outer, folder) = folder();
    Authority::open(folder.clone(), Permitted::known()).unwrap();
    let set = |path: &std::path::Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    for mode in [0o640, 0o604] {
        set(&folder.key(), mode);
        assert!(
            refused(&folder).contains("chmod 600") && refused(&folder).contains("iron ca rotate")
        );
    }
    set(&folder.key(), 0o600);
    set(folder.path(), 0o770);
    assert!(refused(&folder).contains("chmod 700"));
    set(folder.path(), 0o700);

    let (_other, other) = self::folder();
    Authority::open(other.clone(), Permitted::known()).unwrap();
    fs::copy(other.certificate(), folder.certificate()).unwrap();
    assert!(refused(&folder).contains("do not belong together"));
    fs::write(folder.certificate(), "nothing").unwrap();
    assert!(refused(&folder).contains("ca.pem cannot be understood"));
    let plain = rcgen::CertificateParams::default();
    let key = certificate::new_key().unwrap();
    fs::write(folder.certificate(), plain.self_signed(&key).unwrap().pem()).unwrap();
    assert!(refused(&folder).contains("no CA with a list of permitted names"));
    fs::copy(other.certificate(), folder.certificate()).unwrap();
    fs::remove_file(folder.key()).unwrap();
    assert!(refused(&folder).contains("key is missing"));
    folder.rotate(&Permitted::known()).unwrap();
    Authority::open(folder, Permitted::known()).unwrap();
}

#[test]
fn a_new_host_gives_a_new_certificate_of_the_same_key() {
    let (_outer, folder) = folder();
    let authority = Authority::open(folder.clone(), Permitted::known()).unwrap();
    let (before, key) = (authority.facts().unwrap(), fs::read(folder.key()).unwrap());
    assert!(matches!(
        authority.server_config(&host("models.example.org")),
        Err(AuthorityError::NotPermitted(_))
    ));
    let more = of("[connect]\nintercept = [\"models.example.org\"]\n");
    authority.permit(more.clone()).unwrap();
    let after = authority.facts().unwrap();
    assert!(after.permitted.permits(&host("models.example.org")));
    assert_eq!((&after.subject, fs::read(folder.key()).unwrap()), (&before.subject, key));
    assert_ne!(after.fingerprint, before.fingerprint);
    assert_eq!(folder.facts().unwrap(), Some(after.clone()));
    authority.server_config(&host("models.example.org")).unwrap();
    // Fewer hosts change nothing: another proxy on the same folder may need them.
    authority.permit(Permitted::known()).unwrap();
    assert_eq!(authority.facts().unwrap(), after);
    assert_eq!(Authority::open(folder.clone(), Permitted::known()).unwrap().facts(), Some(after));
    // But that every host was permitted does not outlive the configuration that said so.
    authority.permit(of("[connect]\nother_hosts = \"intercept\"\n")).unwrap();
    assert!(authority.facts().unwrap().permitted.is_any());
    authority.permit(Permitted::known()).unwrap();
    assert!(!authority.facts().unwrap().permitted.is_any());
}

#[test]
fn a_certificate_that_ends_soon_is_issued_anew() {
    let (_outer, folder) = folder();
    let start = SystemTime::now();
    let at = |now| {
        let locked = folder.lock().unwrap();
        load(&locked, &folder, &Permitted::known(), now).unwrap().facts
    };
    let first = at(start);
    assert_eq!(at(start + 660 * DAY), first);
    let second = at(start + 680 * DAY);
    assert_eq!(second.subject, first.subject);
    assert!(second.not_after > first.not_after + 600 * DAY);
    // A clock that was wrong by years at the first start.
    let third = at(start);
    assert!(third.not_before < start && third != second);
}

#[test]
fn a_running_proxy_takes_over_a_new_ca_and_forgets_one_that_was_removed() {
    let (_outer, folder) = folder();
    let authority = Authority::open(folder.clone(), Permitted::known()).unwrap();
    let first = authority.facts().unwrap();
    authority.tend().unwrap();
    assert_eq!(authority.facts().unwrap(), first);
    let second = folder.rotate(&Permitted::known()).unwrap();
    assert_ne!(second.subject, first.subject);
    authority.tend().unwrap();
    assert_eq!(authority.facts(), Some(second));
    assert!(folder.remove().unwrap());
    authority.tend().unwrap();
    assert_eq!(authority.facts(), None);
    assert!(authority.server_config(&host("localhost")).is_err());
    assert!(!folder.remove().unwrap());
    let third = folder.rotate(&Permitted::known()).unwrap();
    authority.tend().unwrap();
    assert_eq!(authority.facts(), Some(third));
}

#[test]
fn leaves_are_kept_until_they_are_old_and_never_more_than_so_many() {
    let now = SystemTime::now();
    let ca = Ca::issue(certificate::new_key().unwrap(), &Permitted::known(), now).unwrap();
    let signer = Signer::new().unwrap();
    let leaves = Leaves::default();
    let of = |name: &str, now| leaves.of(&ca, &signer, &[host(name)], now).unwrap();
    let first = of("localhost", now);
    assert!(Arc::ptr_eq(&first, &of("localhost", now + DAY / 3)));
    assert!(!Arc::ptr_eq(&first, &of("localhost", now + DAY)));
    // After a jump back the clock says that a leaf is from the future.
    assert!(!Arc::ptr_eq(&of("localhost", now + DAY), &of("localhost", now)));
    for number in 0..1_100 {
        of(&format!("a{number}.api.openai.com"), now + Duration::from_secs(number));
    }
    assert_eq!(leaves.len(), 1_000);
}

#[test]
fn first_starts_at_the_same_time_make_one_ca() {
    let (_outer, folder) = folder();
    let found: Vec<_> = std::thread::scope(|scope| {
        let open = || Authority::open(folder.clone(), Permitted::known()).unwrap().facts();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|facts| *facts == found[0]));
}
