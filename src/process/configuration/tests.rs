//! Real files with real modes. The tests may run as root, who can read everything; what is checked is
//! what the modes say.

use super::{is_credential, load, load_with, shell_word};
use crate::config::Config;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

const GOOD: &str = "KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET=s3cret\nDATABASE_URL=postgres://db/live\n";

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("kick-monitor-configuration-{}-{name}", fastrand::u64(..)));
        fs::create_dir_all(&path).expect("a directory for the test");
        Directory(path)
    }

    fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a file for the test");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What is said of a file, without the environment of the test's own process.
fn said(path: &Path, environment: &[(&str, &Path)]) -> Result<Config, String> {
    let environment: BTreeMap<OsString, OsString> =
        environment.iter().map(|(key, value)| (OsString::from(key), value.as_os_str().to_owned())).collect();
    load_with(path, &environment, false)
        .map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
}

#[test]
fn others_may_neither_read_nor_write_the_file() {
    let directory = Directory::new("modes");
    for mode in [0o600, 0o640, 0o400, 0o440, 0o641] {
        let path = directory.file(&format!("{mode:o}.env"), GOOD.as_bytes(), mode);
        assert!(said(&path, &[]).is_ok(), "{mode:o}");
    }
    for mode in [0o644, 0o604, 0o602, 0o666] {
        let path = directory.file(&format!("{mode:o}.env"), GOOD.as_bytes(), mode);
        let file = path.display();
        let expected =
            format!("{file}: the file can be read or written by others (mode {mode:04o}); run: chmod 0640 {file}\n");
        assert_eq!(said(&path, &[]), Err(expected));
    }
}

#[test]
fn only_roots_group_may_write_the_file() {
    let directory = Directory::new("group");
    let path = directory.file("k.env", GOOD.as_bytes(), 0o660);
    let gid = if is_root() { 12_345 } else { rustix::process::getegid().as_raw() };
    chown(&path, None, Some(gid)).expect("a group");
    let file = path.display();
    let expected = format!("{file}: the file can be written by its group (mode 0660); run: chmod 0640 {file}\n");
    assert_eq!(said(&path, &[]), Err(expected));
    if is_root() {
        chown(&path, None, Some(0)).expect("root's group");
        assert!(said(&path, &[]).is_ok());
    }
}

#[test]
fn only_a_regular_file_of_a_sane_size_is_read() {
    let directory = Directory::new("kinds");
    let of = |path: &Path| said(path, &[]).expect_err("bad").replace(&*path.display().to_string(), "FILE");
    assert_eq!(of(&directory.0), "FILE: the file is a directory; expected a regular file\n");
    assert_eq!(
        of(&directory.0.join("none")),
        "FILE: the file cannot be read: No such file or directory (os error 2)\n"
    );
    let big = directory.file("big", &vec![b'#'; (1 << 20) + 1], 0o600);
    assert_eq!(of(&big), "FILE: the file is larger than 1 MiB; expected a few lines\n");

    // Opening a pipe must not wait for a writer.
    let pipe = directory.0.join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).expect("a pipe");
    assert_eq!(of(&pipe), "FILE: the file is not a regular file; expected a regular file\n");
    assert_eq!(of(Path::new("/dev/null")), "FILE: the file is not a regular file; expected a regular file\n");

    let linked = directory.0.join("link");
    std::os::unix::fs::symlink(directory.file("target", GOOD.as_bytes(), 0o600), &linked).expect("a link");
    assert!(said(&linked, &[]).is_ok());
}

#[test]
fn a_secrets_file_is_guarded_alike_except_among_credentials() {
    let directory = Directory::new("secret");
    let secret = directory.file("client", b"s3cret\n", 0o644);
    let text = format!("KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET_FILE={}\nDATABASE_URL=postgres://db\n", secret.display());
    let path = directory.file("k.env", text.as_bytes(), 0o600);
    let (file, name) = (path.display(), secret.display());
    assert_eq!(
        said(&path, &[]),
        Err(format!(
            "{file}:2: KICK_CLIENT_SECRET_FILE: names \"{name}\", which can be read or written by others (mode 0644); \
             run: chmod 0640 {name}\n"
        ))
    );
    let config = said(&path, &[("CREDENTIALS_DIRECTORY", &directory.0)]).expect("a credential");
    assert_eq!(config.kick.client_secret.reveal(), "s3cret");
    directory.file("client", b"s3cret\n", 0o640);
    assert_eq!(said(&path, &[]), Ok(config));
}

#[test]
fn a_credential_is_what_lies_in_the_directory() {
    let given = |path: &str, directory: &str| is_credential(Path::new(path), Some(Path::new(directory)));
    assert!(given("/run/credentials/k/secret", "/run/credentials/k"));
    assert!(!given("/run/credentials/k/../../secret", "/run/credentials/k"));
    assert!(!given("/run/credentials/kk", "/run/credentials/k"));
    assert!(!given("/etc/secret", ""));
    assert!(!is_credential(Path::new("/etc/secret"), None));
}

#[test]
fn certificates_may_be_public_and_hold_any_comment() {
    let directory = Directory::new("ca");
    let mut pem = b"# f\xfcr alle\n".to_vec();
    pem.extend(include_bytes!("../../config/tests/ca.pem"));
    let ca = directory.file("ca.pem", &pem, 0o644);
    let path = directory.file("k.env", format!("{GOOD}TLS_CA_FILE={}\n", ca.display()).as_bytes(), 0o600);
    assert!(said(&path, &[]).expect("good").kick.tls_ca.is_some());
}

#[test]
fn load_reads_the_file_it_is_given() {
    let directory = Directory::new("load");
    let problems = load(&directory.file("k.env", b"NONSENSE_KEY=1\n", 0o600)).expect_err("an unknown key");
    assert_eq!((problems[0].line, problems[0].key.as_str()), (Some(1), "NONSENSE_KEY"));
}

#[test]
fn the_command_to_run_can_be_pasted() {
    assert_eq!(shell_word(Path::new("/etc/kick-monitor/kick-monitor.env")), "/etc/kick-monitor/kick-monitor.env");
    assert_eq!(shell_word(Path::new("/tmp/it's here")), "'/tmp/it'\\''s here'");
}
