//! Supervision with real threads and a real clock; pauses are skipped by advancing the time by hand.

use super::{Body, Fatal, Spec, Stage, Supervisor};
use crate::clock::Clock;
use crate::domain::Steady;
use crate::stop::Stop;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// A supervisor and the messages of its workers.
struct Scene {
    supervisor: Supervisor,
    clock: Clock,
    tell: Sender<String>,
    told: Receiver<String>,
}

impl Scene {
    fn new() -> Scene {
        let clock = Clock::start();
        let (tell, told) = unbounded();
        Scene { supervisor: Supervisor::new(clock, 1), clock, tell, told }
    }

    /// A worker that reports its start and its end. In between it runs `body` with the number of the run, from 1.
    fn spec(&self, name: &str, stage: u8, body: fn(u32, Stop) -> anyhow::Result<()>) -> Spec {
        let (tell, name, mut life) = (self.tell.clone(), name.to_owned(), 0);
        let make = {
            let name = name.clone();
            move || -> Body {
                life += 1;
                let (tell, name) = (tell.clone(), name.clone());
                Box::new(move |_, stop| {
                    tell.send(format!("{name} starts")).expect("the test listens");
                    let result = body(life, stop);
                    tell.send(format!("{name} ends")).expect("the test listens");
                    result
                })
            }
        };
        Spec { name, stage: Stage(stage), vital: false, make: Box::new(make) }
    }

    fn add(&mut self, spec: Spec) {
        self.supervisor.add(self.clock.steady(), spec).expect("threads can be had");
    }

    fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.told.recv_timeout(LIMIT).as_deref(), Ok(*line));
        }
    }

    /// Waits for the end of a thread and passes it to the supervisor, as the main thread would.
    fn see_exit(&mut self) -> Result<(), Fatal> {
        let exit = self.supervisor.exits().recv_timeout(LIMIT).expect("a thread ends");
        self.supervisor.ended(self.clock.steady(), exit)
    }

    /// Skips all pauses.
    fn rest(&mut self) {
        let later = Steady::after(Duration::from_secs(60)) + self.clock.steady().elapsed();
        assert_eq!(self.supervisor.turn(later), Ok(None));
    }
}

fn obedient(_: u32, stop: Stop) -> anyhow::Result<()> {
    assert!(stop.wait(LIMIT), "it is never told to stop");
    Ok(())
}

fn panics_twice(life: u32, stop: Stop) -> anyhow::Result<()> {
    assert!(life > 2, "no luck in life {life}");
    obedient(life, stop)
}

fn fails(_: u32, _: Stop) -> anyhow::Result<()> {
    anyhow::bail!("no luck")
}

#[test]
fn a_worker_that_panics_is_made_again_after_a_pause() {
    let mut scene = Scene::new();
    scene.add(scene.spec("worker", 0, panics_twice));
    for _ in 0..2 {
        scene.expect(&["worker starts"]);
        assert_eq!(scene.see_exit(), Ok(()));
        let now = scene.clock.steady();
        let again = scene.supervisor.turn(now).expect("it is only resting").expect("it is resting");
        assert!(again > now, "there is a pause");
        scene.rest();
    }
    scene.expect(&["worker starts"]);
    assert_eq!(scene.supervisor.stop(LIMIT), [""; 0]);
}

#[test]
fn a_worker_that_fails_too_often_is_fatal() {
    let mut scene = Scene::new();
    scene.add(scene.spec("worker", 0, fails));
    for _ in 0..5 {
        assert_eq!(scene.see_exit(), Ok(()));
        scene.rest();
    }
    let Err(Fatal(reason)) = scene.see_exit() else { panic!("the sixth failure is one too many") };
    assert_eq!(reason, "worker failed too often; at last it failed: no luck");
}

#[test]
fn a_vital_worker_that_ends_in_any_way_is_fatal() {
    for body in [fails as fn(u32, Stop) -> _, |_, _| Ok(()), |_, _| panic!("no luck")] {
        let mut scene = Scene::new();
        scene.add(Spec { vital: true, ..scene.spec("hub", 1, body) });
        let Err(Fatal(reason)) = scene.see_exit() else { panic!("nobody can do without it") };
        assert!(reason.starts_with("hub "), "{reason}");
    }
}

#[test]
fn stages_stop_one_after_the_other() {
    let mut scene = Scene::new();
    for (name, stage) in [("writer", 2), ("hub", 1), ("source", 0)] {
        scene.add(scene.spec(name, stage, obedient));
        scene.expect(&[&format!("{name} starts")]);
    }
    assert_eq!(scene.supervisor.stop(LIMIT), [""; 0]);
    let told: Vec<String> = scene.told.try_iter().collect();
    assert_eq!(told, ["source ends", "hub ends", "writer ends"]);
}

#[test]
fn a_stage_sees_the_one_before_it_hang_up() {
    let mut scene = Scene::new();
    let (inputs, inbox) = unbounded::<()>();
    let sender = inputs.clone();
    let source = move || -> Body {
        // This clone stands for a channel that a spec would keep open if it were kept too long.
        let sender = sender.clone();
        Box::new(move |_, stop| {
            let _sender = sender;
            stop.wait(LIMIT);
            Ok(())
        })
    };
    let hub = move || -> Body {
        let inbox = inbox.clone();
        Box::new(move |_, _never_looked_at| {
            inbox.recv_timeout(LIMIT).expect_err("nobody sends");
            Ok(())
        })
    };
    let spec = |name: &str, stage, make| Spec { name: name.to_owned(), stage: Stage(stage), vital: false, make };
    scene.add(spec("source", 0, Box::new(source)));
    scene.add(spec("hub", 1, Box::new(hub)));
    drop(inputs);
    assert_eq!(scene.supervisor.stop(LIMIT), [""; 0]);
    assert!(scene.clock.steady().elapsed() < LIMIT, "the hub waited for its own time-out");
}

#[test]
fn a_thread_that_ignores_its_stop_is_abandoned_and_the_others_still_end_in_order() {
    let mut scene = Scene::new();
    scene.add(scene.spec("deaf", 0, |_, _| {
        Stop::never().wait(LIMIT * 6);
        Ok(())
    }));
    scene.add(scene.spec("hub", 1, obedient));
    assert_eq!(scene.supervisor.stop(Duration::from_secs(2)), ["deaf"]);
    assert!(scene.told.try_iter().any(|line| line == "hub ends"));
}

#[test]
fn workers_come_go_and_are_replaced_while_others_run() {
    let mut scene = Scene::new();
    scene.add(scene.spec("link-0", 0, obedient));
    scene.expect(&["link-0 starts"]);
    scene.add(scene.spec("link-0", 0, obedient));
    // The successor waits until the predecessor has ended.
    scene.expect(&["link-0 ends"]);
    assert_eq!(scene.see_exit(), Ok(()));
    scene.expect(&["link-0 starts"]);
    scene.supervisor.remove("link-0");
    scene.supervisor.remove("never-was");
    scene.expect(&["link-0 ends"]);
    assert_eq!(scene.see_exit(), Ok(()));
    assert_eq!(scene.supervisor.stop(LIMIT), [""; 0]);
}

#[test]
fn a_worker_whose_channel_was_hung_up_is_not_made_again() {
    let mut scene = Scene::new();
    scene.add(scene.spec("link-0", 0, |_, _| Ok(())));
    assert_eq!(scene.see_exit(), Ok(()));
    assert_eq!(scene.supervisor.turn(scene.clock.steady()), Ok(None));
    scene.expect(&["link-0 starts", "link-0 ends"]);
    assert_eq!(scene.supervisor.stop(LIMIT), [""; 0]);
}

#[test]
fn a_thread_that_breaks_its_promise_is_stale() {
    let mut scene = Scene::new();
    let (promised, seen) = unbounded();
    let make = move || -> Body {
        let promised = promised.clone();
        Box::new(move |pulse, stop| {
            pulse.promise(Duration::ZERO);
            promised.send(()).expect("the test listens");
            stop.wait(LIMIT);
            Ok(())
        })
    };
    scene.add(Spec { name: "late".to_owned(), stage: Stage(0), vital: false, make: Box::new(make) });
    scene.add(scene.spec("punctual", 0, obedient));
    seen.recv_timeout(LIMIT).expect("the worker starts");
    while scene.supervisor.stale() != ["late"] {
        assert!(scene.clock.steady().elapsed() < LIMIT, "nobody notices");
        std::thread::yield_now();
    }
    assert_eq!(scene.supervisor.stop(LIMIT), [""; 0]);
}
