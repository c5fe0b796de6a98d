//! Peers that are slow or broken, and networks that are: between the real client and the real server stands a proxy that
//! delays, drips, stalls, cuts, resets, and opens and closes in another order. Whatever it does, a file is whole or it is as
//! it was, the server serves others meanwhile, the client comes to an end that says what happened, and nothing stays behind.
//!
//! `PEERS_SEED=17 cargo test --test slow_peers` plays one file of each of the seeded tests again.

#[path = "../support/mod.rs"]
mod support;
mod trip;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use support::{Dice, Fault, Weather, Which};
use trip::{LENGTH, Trip, Way};

/// How many files go each way through a network that breaks at a point that a number picks.
const SEEDS: u64 = 20;

const WAYS: [Way; 2] = [Way::Down, Way::Up];

/// The same on both ways of a connection.
fn both(fault: Fault) -> Weather {
    Weather {
        up: fault,
        down: fault,
        ..Weather::default()
    }
}

#[test]
fn what_is_late_arrives() {
    for way in WAYS {
        let trip = Trip::new(way, |_| both(Fault::Delay(Duration::from_millis(4))));
        trip.end().arrives();
        trip.lists();
    }
}

#[test]
fn a_byte_a_second_is_a_sign_of_life() {
    let drip = |point| Fault::Drip(point, 3, Duration::from_secs(1));
    // The end of the file, and of what is said something behind the login.
    let (data, control) = (both(drip(LENGTH - 3)), (drip(60), drip(700)));
    let control = Weather {
        up: control.0,
        down: control.1,
        ..Weather::default()
    };
    thread::scope(|scope| {
        for way in WAYS {
            for (on_data, on_control) in [(data, Weather::default()), (Weather::default(), control)]
            {
                scope.spawn(move || {
                    let trip = Trip::new(way, move |which| match which {
                        Which::Data(_) => on_data,
                        Which::Control(_) => on_control,
                    });
                    trip.with_patience(10).arrives();
                    assert_eq!(trip.proxy.faults(), 1, "nothing was dripped");
                });
            }
        }
    });
}

#[test]
fn a_session_that_drips_from_its_first_byte_to_its_last_is_served() {
    for way in WAYS {
        let trip = Trip::new(way, |which| match which {
            Which::Data(_) => Weather::default(),
            Which::Control(_) => both(Fault::Drip(0, u64::MAX, Duration::from_millis(2))),
        });
        trip.end().arrives();
    }
}

#[test]
fn a_client_whose_commands_drip_is_let_go_when_its_login_takes_too_long() {
    let trip = Trip::new(Way::Down, |which| match which {
        Which::Data(_) => Weather::default(),
        Which::Control(_) => Weather {
            up: Fault::Drip(0, u64::MAX, Duration::from_secs(1)),
            ..Weather::default()
        },
    });
    // The client would wait for longer than the server does.
    let end = trip.with_patience(20);
    end.fails();
    assert!(end.errors.contains("421"), "{}", end.errors);
}

#[test]
fn opens_and_closes_may_come_in_any_order() {
    let orders = [
        Weather {
            opens_early: true,
            ..Weather::default()
        },
        Weather {
            opens_late: true,
            ..Weather::default()
        },
        Weather {
            closes_late: true,
            ..Weather::default()
        },
        Weather {
            answers_late: true,
            ..Weather::default()
        },
        Weather {
            opens_late: true,
            answers_late: true,
            ..Weather::default()
        },
        Weather {
            opens_early: true,
            closes_late: true,
            ..Weather::default()
        },
    ];
    for order in orders {
        for way in WAYS {
            let trip = Trip::new(way, move |_| order);
            trip.end().arrives();
            trip.lists();
        }
    }
}

#[test]
fn a_connection_that_breaks_once_is_made_again_and_the_file_goes_on() {
    let resumed = AtomicUsize::new(0);
    seeds(|way, seed| {
        let (faulty, weather) = pick(way, seed);
        let trip = Trip::with_seed(way, seed, move |which| match (which, faulty) {
            (Which::Data(0), Faulty::Data) | (Which::Control(0), Faulty::Control) => weather,
            _ => Weather::default(),
        });
        let end = trip.end();
        // Whom nobody has let in yet is not a session that could be made again.
        if faulty == Faulty::Data || end.is_good() {
            end.arrives();
            resumed.fetch_add(trip.proxy.faults().min(1), Relaxed);
        } else {
            end.fails();
        }
    });
    if chosen().is_none() {
        let resumed = resumed.into_inner() as u64;
        eprintln!("{resumed} of {} files arrived over what broke", 2 * SEEDS);
        assert!(
            resumed >= SEEDS / 2,
            "{resumed} files arrived over what broke"
        );
    }
}

#[test]
fn connections_that_break_each_time_are_an_error_and_the_file_is_as_it_was() {
    let failed = AtomicUsize::new(0);
    seeds(|way, seed| {
        let (faulty, weather) = pick(way, seed);
        let trip = Trip::with_seed(way, seed, move |which| match (which, faulty) {
            (Which::Data(_), Faulty::Data) | (Which::Control(_), Faulty::Control) => weather,
            _ => Weather::default(),
        });
        let end = trip.end();
        // What breaks behind the last word of a transfer, or of which the next part was the last one, has arrived.
        if end.is_good() {
            end.arrives();
        } else {
            end.fails();
            failed.fetch_add(1, Relaxed);
        }
    });
    if chosen().is_none() {
        let failed = failed.into_inner() as u64;
        eprintln!("{failed} of {} files did not arrive", 2 * SEEDS);
        assert!(failed >= SEEDS / 2, "{failed} files did not arrive");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faulty {
    Control,
    Data,
}

/// What breaks, how and where.
fn pick(way: Way, seed: u64) -> (Faulty, Weather) {
    let mut dice = Dice(seed.wrapping_mul(2) + u64::from(way == Way::Up));
    let faulty = [Faulty::Data, Faulty::Data, Faulty::Control][dice.index(3)];
    let up = match faulty {
        Faulty::Data => way == Way::Up,
        Faulty::Control => dice.below(2) == 0,
    };
    let point = match (faulty, up) {
        (Faulty::Data, _) => dice.below(LENGTH),
        // About as much as there is in a session.
        (Faulty::Control, true) => dice.below(150),
        (Faulty::Control, false) => dice.below(1200),
    };
    let fault = [Fault::Cut, Fault::Reset, Fault::Stall][dice.index(3)](point);
    let mut weather = Weather::default();
    match up {
        true => weather.up = fault,
        false => weather.down = fault,
    }
    (faulty, weather)
}

fn chosen() -> Option<u64> {
    std::env::var("PEERS_SEED").ok()?.parse().ok()
}

/// Plays all seeds both ways, several at a time.
fn seeds(play: impl Fn(Way, u64) + Sync) {
    if let Some(seed) = chosen() {
        return WAYS.into_iter().for_each(|way| play(way, seed));
    }
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Relaxed)).filter(|&n| n < 2 * SEEDS)
                {
                    let way = WAYS[usize::from(number >= SEEDS)];
                    play(way, number % SEEDS);
                }
            });
        }
    });
}
