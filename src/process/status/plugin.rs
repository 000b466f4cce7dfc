//! One line and an exit code as plugins of Nagios and Icinga give them: a word, what is wrong, and behind `|` numbers
//! to draw. Pure.

use super::Snapshot;
use crate::domain::problem::Health;
use crate::domain::text::{counted, escaped};
use crate::process::exit::Code;

/// The line, and the exit code, for what was found: a snapshot, why there is none, or why that cannot be told.
pub(super) fn judge(found: anyhow::Result<Result<(Snapshot, String), String>>) -> (String, Code) {
    match found {
        Ok(Ok((snapshot, _))) => {
            let (word, code) = match snapshot.report.health {
                Health::Ok => ("OK", Code::Fine),
                Health::Degraded => ("WARNING", Code::DEGRADED),
                Health::Failing => ("CRITICAL", Code::FAILING),
            };
            (line(word, &summary(&snapshot), &format!(" | {}", numbers(&snapshot))), code)
        }
        Ok(Err(why_not)) => (line("UNKNOWN", &why_not, ""), Code::NotRunning),
        Err(error) => (line("UNKNOWN", &format!("{error:#}"), ""), Code::NotRunning),
    }
}

/// The text may quote something from outside; what follows a `|` would be taken for numbers.
fn line(word: &str, text: &str, numbers: &str) -> String {
    format!("KICK-MONITOR {word} - {}{numbers}\n", escaped(&text.replace('|', "/")))
}

fn summary(snapshot: &Snapshot) -> String {
    let report = &snapshot.report;
    let streamers = &report.streamers;
    let total = counted(streamers.total, "streamer");
    let numbers = match report.coordination.stands_by() {
        true => "stands by for other instances".to_owned(),
        false => format!("{total}, {} online, {} covered by push", streamers.online, streamers.covered),
    };
    let Some(worst) = report.problems.first() else { return numbers };
    let codes: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
    format!("{}: {} ({}); {numbers}", report.health.word(), codes.join(", "), worst.text)
}

/// What can be drawn over time; `c` marks counters.
fn numbers(snapshot: &Snapshot) -> String {
    let report = &snapshot.report;
    let (streamers, counters) = (&report.streamers, &report.counters);
    let mut numbers = vec![
        format!("streamers={}", streamers.total),
        format!("online={}", streamers.online),
        format!("offline={}", streamers.offline),
        format!("unknown={}", streamers.unknown),
        format!("covered={}", streamers.covered),
        format!("unusable={}", streamers.unusable),
        format!("connections={};;;0;{}", report.realtime.connected, report.realtime.connections),
        format!("pending_writes={}", report.database.pending_writes),
        format!("changes_push={}c", counters.status_changes_push),
        format!("changes_sweep={}c", counters.status_changes_sweep),
    ];
    numbers.extend(report.latency_ms.p99.map(|p99| format!("latency_p99={p99}ms")));
    numbers.extend(report.api.comparison_age_seconds.max.map(|age| format!("oldest_comparison={age:.1}s")));
    numbers.join(" ")
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::domain::problem::Health;
    use crate::domain::report::{Problem, Report, Streamers};
    use crate::domain::time::Timestamp;
    use crate::process::exit::Code;
    use crate::process::status::Snapshot;

    fn judged(health: Health, problems: &[(&str, &str)]) -> (String, Code) {
        let problem = |(code, text): &(&str, &str)| Problem {
            code: (*code).to_owned(),
            text: (*text).to_owned(),
            remedy: "none".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        let streamers = Streamers { total: 3, online: 1, offline: 2, covered: 3, ..Streamers::default() };
        let problems = problems.iter().map(problem).collect();
        let report = Report { health, problems, streamers, ..Report::default() };
        let (started_at, written_at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let sweep_every_seconds = 60.0;
        let version = "1".to_owned();
        let snapshot = Snapshot { version, pid: 1, started_at, written_at, sweep_every_seconds, report };
        judge(Ok(Ok((snapshot, String::new()))))
    }

    #[test]
    fn each_health_has_its_word_and_code_and_the_line_stays_one() {
        let numbers = "streamers=3 online=1 offline=2 unknown=0 covered=3 unusable=0 connections=0;;;0;0 \
                       pending_writes=0 changes_push=0c changes_sweep=0c\n";
        let (line, code) = judged(Health::Ok, &[]);
        assert_eq!(line, format!("KICK-MONITOR OK - 3 streamers, 1 online, 3 covered by push | {numbers}"));
        assert_eq!(code as u8, 0);
        let (line, code) = judged(Health::Degraded, &[("push_down", "a|b\nc"), ("api_error", "d")]);
        let text = "degraded: push_down, api_error (a/b\\nc); 3 streamers, 1 online, 3 covered by push";
        assert_eq!(line, format!("KICK-MONITOR WARNING - {text} | {numbers}"));
        assert_eq!(code as u8, 1);
        let (line, code) = judged(Health::Failing, &[("db_unavailable", "gone")]);
        assert!(line.starts_with("KICK-MONITOR CRITICAL - failing: db_unavailable (gone); "), "{line}");
        assert_eq!(code as u8, 2);
        for found in [Ok(Err("not running: gone".to_owned())), Err(anyhow::anyhow!("not running: gone"))] {
            let (line, code) = judge(found);
            assert_eq!((line.as_str(), code as u8), ("KICK-MONITOR UNKNOWN - not running: gone\n", 3));
        }
    }
}
