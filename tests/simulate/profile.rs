//! What kind of a day a seed makes: what Kick and people do, which faults there are, and under which conditions each
//! core works.
//!
//! Each kind of fault is absent from about half of the days or more, so that each also meets the machine
//! without the others, which could hide what it does.

use super::agenda::Agenda;
use super::conditions::Conditions;
use super::faults::{Fault, ShareFault};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub streamers: usize,
    pub habits: Habits,
    /// The table names wrong channels for some.
    pub wrong_hints: bool,
    /// The kinds of sudden fault, and how far apart they are on average.
    pub faults: Vec<(Fault, Duration)>,
    /// Each core's own.
    pub cores: Vec<Conditions>,
    /// How many shards the table has, if the cores share it; otherwise none.
    pub shards: u16,
}

/// What Kick does.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    /// Streamers may be banned.
    pub bans: bool,
    /// How often a broadcast that is interrupted for less than two minutes goes on with its id (R1).
    pub resumes: f64,
    /// How often a push event has an id that is not its broadcast's (R2).
    pub absurd: f64,
}

impl Profile {
    pub(super) fn draw(agenda: &mut Agenda) -> Profile {
        let mut faults = Vec::new();
        for (fault, odds) in Fault::all() {
            if agenda.odds(odds) {
                faults.push((fault, agenda.secs(600, 4 * 3_600)));
            }
        }
        let streamers = agenda.pick(&[1, 2, 3, 4, 5, 6, 12, 24]).unwrap_or(1);
        let first = Conditions::draw(agenda);
        // Another instance on the same table, which neither knows of.
        let second = agenda.odds(0.2).then(|| first.of_another(agenda));
        Profile {
            streamers,
            habits: Habits {
                bans: agenda.odds(0.2),
                resumes: half(agenda, 1.0),
                absurd: if agenda.odds(0.3) { 0.3 * agenda.chance.f64() } else { 0.0 },
            },
            wrong_hints: agenda.odds(0.2),
            faults,
            cores: [first].into_iter().chain(second).collect(),
            shards: 0,
        }
    }

    /// A day on which two to five cores share the table. On half of them no evidence is false or out of order.
    pub(super) fn draw_shared(agenda: &mut Agenda) -> Profile {
        let mut profile = Profile { wrong_hints: false, ..Profile::draw(agenda) };
        let first = profile.cores[0].clone();
        let others = (1..agenda.pick(&[2, 2, 3, 5]).unwrap_or(2)).map(|_| first.of_another(agenda));
        profile.cores = [first.clone()].into_iter().chain(others).collect();
        if agenda.odds(0.5) {
            profile.habits = Habits::default();
            profile.cores.iter_mut().for_each(Conditions::be_honest);
        }
        for fault in ShareFault::ALL {
            if agenda.odds(0.5) {
                profile.faults.push((Fault::Share(fault), agenda.secs(300, 2 * 3_600)));
            }
        }
        profile.shards = agenda.pick(&[1, 1, 4, 16]).unwrap_or(1);
        profile
    }

    /// A day on which nothing goes wrong by itself, for one core.
    pub(super) fn good(agenda: &mut Agenda) -> Profile {
        let profile = Profile::draw(agenda);
        let cores = vec![profile.cores[0].good()];
        Profile { streamers: 12, habits: Habits::default(), wrong_hints: false, faults: Vec::new(), cores, shards: 0 }
    }
}

/// Nothing on half of the days, and up to this on the others.
pub(super) fn half(agenda: &mut Agenda, value: f64) -> f64 {
    if agenda.odds(0.5) { value * agenda.chance.f64() } else { 0.0 }
}
