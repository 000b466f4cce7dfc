//! Inputs and outputs in a line each, for the transcript of a day that went wrong.

use kick_monitor::domain::row::RosterRead;
use kick_monitor::monitor::{Input, Output};

pub(super) fn input(input: &Input) -> String {
    match input {
        Input::Roster(RosterRead { started, rows, .. }) => {
            let rows = rows.iter().map(|row| format!("{}:{}:{:?}", row.id, row.username.trim(), row.shown));
            format!("Roster of {:.3}: {}", started.elapsed().as_secs_f64(), rows.collect::<Vec<_>>().join(" "))
        }
        Input::Answer(answer) => match &answer.result {
            Ok(seen) => {
                let seen = seen.iter().map(|seen| format!("{:?}={:?}/{:?}", seen.user, seen.liveness, seen.channel));
                format!(
                    "Answer {} of {:.3}: {}",
                    answer.id.0,
                    answer.started.steady.elapsed().as_secs_f64(),
                    seen.collect::<Vec<_>>().join(" ")
                )
            }
            Err(failure) => format!("Answer {}: {failure:?}", answer.id.0),
        },
        other => format!("{other:?}"),
    }
}

pub(super) fn output(output: &Output) -> String {
    match output {
        Output::Log(event) => format!("log {event:?}"),
        other => format!("{other:?}"),
    }
}
