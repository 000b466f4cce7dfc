//! What kind of a day a seed makes: what Kick and people do, which faults there are, and under which conditions each
//! core works.
//!
//! Each kind of fault is absent from about half of the days or more, so that each also meets the machine
//! without the others, which could hide what it does.

use super::agenda::Agenda;
use super::conditions::Conditions;
use super::faults::Fault;
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
        }
    }

    /// A day on which nothing goes wrong by itself, for one core.
    pub(super) fn good(agenda: &mut Agenda) -> Profile {
        let profile = Profile::draw(agenda);
        let cores = vec![profile.cores[0].good()];
        Profile { streamers: 12, habits: Habits::default(), wrong_hints: false, faults: Vec::new(), cores }
    }
}

/// Nothing on half of the days, and up to this on the others.
pub(super) fn half(agenda: &mut Agenda, value: f64) -> f64 {
    if agenda.odds(0.5) { value * agenda.chance.f64() } else { 0.0 }
}
