//! R13: a process that starts shortly after a change that push reported undoes nothing, whatever the API still shows.

use super::Story;
use expect_test::expect;

/// Seconds from the change to the start of the new process.
const RESTARTED: [u32; 9] = [0, 1, 5, 20, 40, 59, 61, 89, 120];
/// Seconds after the change in which the API does not know of it.
const LAGS: [u32; 7] = [0, 1, 5, 15, 30, 45, 60];
/// When the new process starts, in its own script.
const BEGIN: u32 = 1000;

/// Until when the process that ended kept the row as changed lately: seconds after the change.
fn kept_for() -> u32 {
    let mut story = Story::new();
    story.play(
        "
        0 learned xqc/676/668
        .. roster 1:xqc:Offline
        .. link 0 started
        .. link 0 connected
        .. answer users_livestreams
        .. link 0 subscribed 668
        1 kept
        .. live 668 10 created@1
        ",
    );
    let transcript = story.transcript();
    let kept = transcript.lines().find_map(|line| line.split_once("keep until ")?.1.strip_suffix(": 1"));
    kept.expect("the row is kept").parse::<u32>().expect("seconds") - 1
}

/// How often the new process writes the row, which already shows the truth.
fn writes(to: &str, restarted: u32, lag: u32, kept: bool) -> usize {
    let (live, offline) = ("xqc/676/668=live", "xqc/676/668=offline".to_owned());
    let (before, after, shows) = match to {
        "Online" => (offline, format!("{live}@{}", BEGIN - restarted), "Online"),
        _ => (format!("{live}@100"), offline, "Offline"),
    };
    let now = if lag > restarted { &before } else { &after };
    // A moment earlier, because in a script what happens at the time of a request comes after it.
    let knows = f64::from(BEGIN) + (f64::from(lag.saturating_sub(restarted)) - 0.001).max(0.0);
    let mut story = Story::new();
    story.play(&format!(
        "
        {BEGIN} set uncovered=3
        .. auto
        .. learned xqc/676/668
        .. recent {}
        .. kick {now}
        .. roster 1:xqc:{shows}
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        {knows} kick {after}
        {} until
        ",
        if kept { "1" } else { "2" },
        BEGIN + 700,
    ));
    story.transcript().lines().filter(|line| line.contains(" write 1 ")).count()
}

#[test]
fn r13_a_restart_at_any_moment_after_a_change_writes_nothing() {
    let kept = kept_for();
    let mut table = format!("kept for {kept} s; false writes, by the API's lag (lines) and the restart (columns)\n");
    for to in ["Online", "Offline"] {
        table += &format!("{to:<8}{}\n", RESTARTED.map(|at| format!("{at:>5}")).concat());
        for lag in LAGS {
            let row = RESTARTED.map(|at| format!("{:>5}", writes(to, at, lag, at < kept)));
            table += &format!("{lag:>6}  {}\n", row.concat());
        }
    }
    expect![[r#"
        kept for 90 s; false writes, by the API's lag (lines) and the restart (columns)
        Online      0    1    5   20   40   59   61   89  120
             0      0    0    0    0    0    0    0    0    0
             1      0    0    0    0    0    0    0    0    0
             5      0    0    0    0    0    0    0    0    0
            15      0    0    0    0    0    0    0    0    0
            30      0    0    0    0    0    0    0    0    0
            45      0    0    0    0    0    0    0    0    0
            60      0    0    0    0    0    0    0    0    0
        Offline     0    1    5   20   40   59   61   89  120
             0      0    0    0    0    0    0    0    0    0
             1      0    0    0    0    0    0    0    0    0
             5      0    0    0    0    0    0    0    0    0
            15      0    0    0    0    0    0    0    0    0
            30      0    0    0    0    0    0    0    0    0
            45      0    0    0    0    0    0    0    0    0
            60      0    0    0    0    0    0    0    0    0
    "#]]
    .assert_eq(&table);
}

/// The list of recent changes is what prevents it.
#[test]
fn r13_without_the_list_the_lag_of_the_api_is_believed() {
    assert!(writes("Online", 5, 45, false) > 0);
    assert!(writes("Offline", 5, 45, false) > 0);
}
