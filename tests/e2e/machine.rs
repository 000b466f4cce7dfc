//! What the machine may do to the program: a log that nobody reads, signals before it can serve them, a
//! second program with the same files. None of it holds the work up, and all of it is said.

use super::scratch::{REQUIRED, Scratch, finish, with_config};
use super::stage::{PATIENCE, Stage};
use lab::{Line, wait_for};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

/// The configuration of a program on this stage, and where it keeps its files.
pub(crate) fn config(stage: &Stage, scratch: &Scratch, further: &str) -> String {
    let path = |name: &str| scratch.path(name).display().to_string();
    let settings = stage.kick.settings().into_iter().chain([
        ("DATABASE_URL", stage.database.url()),
        ("STATE_DIR", path("state")),
        ("RUN_DIR", path("run")),
        ("LOG_TARGET", "stderr".to_owned()),
        ("ROSTER_POLL_SECS", "1".to_owned()),
    ]);
    let text: String = settings.map(|(key, value)| format!("{key}='{value}'\n")).collect();
    text + further
}

/// A program that is killed with this value, unless it has ended.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        Running(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the program can be started"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }

    #[track_caller]
    pub(crate) fn wait_code(&mut self) -> Option<i32> {
        wait_for("the end of the program", PATIENCE, || self.0.try_wait().ok().flatten()).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe that takes not one byte more: the end to read from and the end to write to.
pub(crate) fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe can be made");
    let flags = fcntl_getfl(&writer).expect("it is open");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("it is a pipe");
    while rustix::io::write(&writer, &[b'\n'; 4096]) != Err(Errno::AGAIN) {}
    fcntl_setfl(&writer, flags).expect("it is a pipe");
    (reader, writer)
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let path = scratch.config(config(&stage, &scratch, "LOG_LEVEL=debug\n"));
    let (_unread, stderr) = full_pipe();
    let mut running = Running::start(with_config("run", &path, &["--foreground"]).stderr(stderr));
    stage.wait_status("ana", "Offline");
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    running.signal(Signal::HUP);
    running.signal(Signal::TERM);
    assert_eq!(running.wait_code(), Some(0));
}

#[test]
fn a_bad_configuration_ends_the_program_though_nobody_reads_it() {
    let scratch = Scratch::new();
    let path = scratch.config(format!("{REQUIRED}SWEEP_SECS=0\n"));
    let (_unread, stderr) = full_pipe();
    let mut running = Running::start(with_config("run", &path, &["--foreground"]).stderr(stderr));
    assert_eq!(running.wait_code(), Some(78));
}

#[test]
fn lines_that_were_lost_are_counted_and_that_is_said_when_the_log_is_read_again() {
    const ROWS: usize = 30_000;
    let stage = Stage::with(&["ana"]);
    stage.database.execute(&format!(
        "INSERT INTO streamers (username, status) SELECT 'no name ' || n, NULL FROM generate_series(1, {ROWS}) n"
    ));
    let scratch = Scratch::new();
    let path = scratch.config(config(&stage, &scratch, ""));
    let (unread, stderr) = full_pipe();
    let mut running = Running::start(with_config("run", &path, &["--foreground"]).stderr(stderr));
    stage.wait_status("ana", "Offline");
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    // That does not wait for the others; what is said of them is more than is kept.
    let file = scratch.path("run/status.json");
    wait_for("all rows to be judged", PATIENCE, || {
        let told: serde_json::Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
        (told["streamers"]["unusable"].as_u64() == Some(ROWS as u64)).then_some(())
    });
    let mut lines = BufReader::new(File::from(unread)).lines().map(|line| Line::parse(&line.expect("a line")));
    let (mut written, mut lost) = (0, 0);
    while written + lost < ROWS || lost == 0 {
        let line = lines.next().expect("it is said");
        written += usize::from(line.event == "streamer_unusable");
        if line.event == "log_dropped" {
            lab::witness(&line);
            lost += line.key("lines").parse::<usize>().expect("they are counted");
        }
    }
    assert!(written < ROWS, "{written} were written, {lost} were lost");
    running.signal(Signal::TERM);
    // All that comes from then on is written again, to the last line.
    assert_eq!(lines.last().map(|line| line.event).as_deref(), Some("stopped"));
    assert_eq!(running.wait_code(), Some(0));
}

/// Starts the program with a list of authorities that is a pipe, which nobody writes to yet: so it waits, and has
/// hardly begun. What this gives lets it go on when it is dropped.
#[track_caller]
fn start_and_hold(command: &mut Command, scratch: &Scratch) -> (Running, OwnedFd) {
    let authorities = scratch.path("authorities");
    let made = Command::new("mkfifo").arg(&authorities).status();
    assert!(made.is_ok_and(|status| status.success()));
    let running = Running::start(command.env("SSL_CERT_FILE", &authorities).stderr(Stdio::null()));
    let open = || rustix::fs::open(&authorities, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let holder = wait_for("the program to begin", PATIENCE, || open().ok());
    // A later reader finds a file.
    fs::remove_file(&authorities).and_then(|()| fs::write(&authorities, "")).expect("a file can be written");
    (running, holder)
}

/// A program on a stage whose roster is read every hour, held as soon as it has begun.
fn held(stage: &Stage, scratch: &Scratch) -> (Running, OwnedFd) {
    let path = scratch.config(config(stage, scratch, "").replace("ROSTER_POLL_SECS='1'", "ROSTER_POLL_SECS=3600"));
    start_and_hold(&mut with_config("run", &path, &["--foreground"]), scratch)
}

#[test]
fn a_signal_that_comes_before_it_can_be_served_is_served_then() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let (mut running, holder) = held(&stage, &scratch);
    let path = scratch.path("config");
    let text = fs::read_to_string(&path).expect("it is there").replace("3600", "1");
    fs::write(&path, text).expect("it can be written");
    running.signal(Signal::USR1);
    running.signal(Signal::HUP);
    drop(holder);
    stage.wait_status("ana", "Offline");
    // The new configuration, that is.
    stage.kick.add("bea");
    stage.insert("bea", None);
    stage.wait_status("bea", "Offline");
    running.signal(Signal::TERM);
    assert_eq!(running.wait_code(), Some(0));
}

#[test]
fn who_is_told_to_end_before_it_has_begun_ends_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let stage = Stage::with(&["ana"]);
        let scratch = Scratch::new();
        let (mut running, holder) = held(&stage, &scratch);
        running.signal(signal);
        drop(holder);
        assert_eq!(running.wait_code(), Some(0));
    }
}

#[test]
fn who_is_told_to_end_while_it_goes_into_the_background_leaves_nobody_behind() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let path = scratch.config(config(&stage, &scratch, ""));
    let pid_file = scratch.path("pid");
    let mut command = with_config("run", &path, &["--pid-file"]);
    let mut starter = Running::start(command.arg(&pid_file).stderr(Stdio::null()));
    let daemon = || fs::read_to_string(&pid_file).ok()?.trim().parse().ok().and_then(Pid::from_raw);
    let daemon = wait_for("the daemon", PATIENCE, daemon);
    starter.signal(Signal::TERM);
    let ended = wait_for("the end of the starter", PATIENCE, || starter.0.try_wait().ok().flatten());
    // One that nobody has waited for is a zombie.
    let stat = format!("/proc/{}/stat", daemon.as_raw_nonzero());
    let gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    if ended.success() {
        // It was too late: both had what they wanted.
        kill_process(daemon, Signal::TERM).expect("it runs");
    }
    wait_for("the end of the daemon", PATIENCE, || gone().then_some(()));
    assert!(!pid_file.exists());
}

/// Starts a second program on the same stage, which is refused; what it says.
#[track_caller]
fn refused(stage: &Stage, scratch: &Scratch, other: [(&str, &str); 2], options: &[&str]) -> String {
    let text = config(stage, scratch, "");
    let text = other.iter().fold(text, |text, (from, to)| text.replace(from, to));
    let path = scratch.file("second", text, 0o600);
    let ended = finish(&mut with_config("run", &path, options));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    ended.stderr
}

#[test]
fn a_second_program_with_the_same_directory_says_so_and_ends() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let path = scratch.config(config(&stage, &scratch, ""));
    let start = || Running::start(with_config("run", &path, &["--foreground"]).stderr(Stdio::null()));
    let mut first = start();
    stage.wait_status("ana", "Offline");
    let pid = format!("process {}", first.0.id());
    let (run, state) = (("/run'", "/run2'"), ("/state'", "/state2'"));
    for (key, directory, other) in [("STATE_DIR", "state", run), ("RUN_DIR", "run", state)] {
        for options in [&["--foreground"][..], &[]] {
            let said = refused(&stage, &scratch, [other, ("", "")], options);
            let directory = scratch.path(directory).display().to_string();
            assert!([key, &directory, &pid].iter().all(|words| said.contains(*words)), "{said}");
        }
    }
    // It is not one that only looks.
    assert_eq!(finish(&mut with_config("status", &path, &[])).code, Some(0));
    let checked = finish(&mut with_config("check", &path, &[]));
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    // Other directories are no trouble, nor is one for both.
    let text = config(&stage, &scratch, "").replace("/run'", "/both'").replace("/state'", "/both'");
    let both = scratch.file("both.env", text, 0o600);
    let mut third = Running::start(with_config("run", &both, &["--foreground"]).stderr(Stdio::null()));
    wait_for("the third to run", PATIENCE, || scratch.path("both/status.json").exists().then_some(()));
    third.signal(Signal::TERM);
    assert_eq!(third.wait_code(), Some(0));
    // One that was killed leaves no lock behind.
    first.signal(Signal::KILL);
    assert_eq!(first.wait_code(), None);
    stage.database.execute("UPDATE streamers SET status = NULL");
    let mut again = start();
    stage.wait_status("ana", "Offline");
    again.signal(Signal::TERM);
    assert_eq!(again.wait_code(), Some(0));
}

#[test]
fn a_directory_that_cannot_be_locked_costs_nothing_else() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    // What stands in the way holds for root, too.
    scratch.file("file", "", 0o600);
    let text = config(&stage, &scratch, "").replace("/run'", "/file/run'").replace("/state'", "/file/state'");
    let path = scratch.config(text);
    let mut running = Running::start(with_config("run", &path, &["--foreground"]).stderr(Stdio::null()));
    stage.wait_status("ana", "Offline");
    running.signal(Signal::TERM);
    assert_eq!(running.wait_code(), Some(0));
}
