//! The program: what it prints is a configuration, and it ends when it should.

use kick_sim::Kick;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kick-sim")).args(arguments).output().expect("the program runs")
}

#[test]
fn it_prints_settings_and_ends_in_time() {
    let output = run(&["--seconds", "0", "xqc"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let (comments, settings): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('#'));
    let keys: Vec<&str> = settings.iter().filter_map(|line| line.split_once('=').map(|(key, _)| key)).collect();
    let expected: Vec<&str> = Kick::start().settings().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, expected);
    assert_eq!(comments, ["# streamer xqc user_id=1000001 channel_id=2000001"]);
}

#[test]
fn the_demonstration_says_its_seed_and_what_it_did() {
    let output = run(&["--demo", "--seed", "4", "--seconds", "5"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("# seed 4\n"), "{text}");
    // No pause is longer than 4 s.
    assert!(text.contains(" went live livestream=130000001\n"), "{text}");
}

#[test]
fn mistakes_have_their_exit_codes() {
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
    let kick = Kick::start();
    let (_, port) =
        kick.web_url().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).expect("a port");
    let taken = run(&["--http-port", &port, "--seconds", "0"]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).starts_with("kick-sim: "));
}
