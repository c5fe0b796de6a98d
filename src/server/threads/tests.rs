//! Threads at doors of their own, with clients that say one byte and hear one.

use super::*;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::ThreadId;

/// Has each client be served by this, which it hears the end of.
struct Hotel<F>(F);

impl<F: Fn() + Send + Sync + 'static> Host for Hotel<F> {
    type Guest = TcpStream;
    type Caller = ();

    fn admit(&self, _: Entrance, socket: TcpStream, _: SocketAddr) -> Option<TcpStream> {
        Some(socket)
    }

    fn serve(&self, mut guest: TcpStream) {
        // Who has gone hears nothing.
        let _ = guest.read(&mut [0]);
        self.0();
        let _ = guest.write_all(b"!");
    }

    fn caller(_: &TcpStream) {}

    fn send_away(&self, _: &(), error: &io::Error) {
        panic!("{error}");
    }
}

struct House<F: Fn() + Send + Sync + 'static> {
    threads: Threads<Hotel<F>>,
    address: SocketAddr,
}

impl<F: Fn() + Send + Sync + 'static> House<F> {
    fn with(door: Door, serve: F) -> Self {
        let address = door.address().unwrap();
        let threads = Threads::start(vec![door], &Arc::new(Hotel(serve))).unwrap();
        Self { threads, address }
    }

    fn new(serve: F) -> Self {
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        Self::with(
            Door::open(Entrance::Plain, anywhere, "--port").unwrap(),
            serve,
        )
    }

    fn visit(&self) -> TcpStream {
        let visitor = TcpStream::connect(self.address).unwrap();
        let patience = Duration::from_secs(30);
        visitor.set_read_timeout(Some(patience)).unwrap();
        visitor
    }

    fn wait_for(&self, enough: impl Fn(usize) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !enough(self.threads.posts[0].0.state().waiting) {
            let state = self.threads.posts[0].0.state();
            assert!(Instant::now() < deadline, "{state:?}");
            drop(state);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Has three clients be served at a time.
fn serve_three<F: Fn() + Send + Sync + 'static>(house: &House<F>) {
    // The first ones are served last.
    for visitor in [house.visit(), house.visit(), house.visit()]
        .into_iter()
        .rev()
    {
        assert!(serve(visitor));
    }
    house.wait_for(|waiting| waiting == 3);
}

/// Has a client be served, and says whether it was.
fn serve(mut visitor: TcpStream) -> bool {
    // One that has been closed takes nothing.
    let _ = visitor.write_all(b"?");
    visitor.read(&mut [0]).is_ok_and(|count| count == 1)
}

#[test]
fn a_thread_that_has_served_waits_again() {
    let seen: Arc<Mutex<HashSet<ThreadId>>> = Arc::default();
    let by = Arc::clone(&seen);
    let house = House::new(move || {
        by.lock().unwrap().insert(thread::current().id());
    });
    for _ in 0..6 {
        assert!(serve(house.visit()));
        house.wait_for(|waiting| waiting > 0);
    }
    let seen = seen.lock().unwrap();
    assert!(seen.len() < 6, "{seen:?}");
}

#[test]
fn no_client_waits_for_another() {
    let house = House::new(|| {});
    let visitors: Vec<_> = (0..20).map(|_| house.visit()).collect();
    // The first ones are served last.
    for visitor in visitors.into_iter().rev() {
        assert!(serve(visitor));
    }
}

#[test]
fn those_that_wait_end_after_a_while_and_the_keeper_stays() {
    let house = House::new(|| {});
    serve_three(&house);
    // Whoever comes now makes the keeper see that others wait.
    while !house.threads.posts[0].0.state().keeper_rests {
        assert!(serve(house.visit()));
    }
    house.wait_for(|waiting| waiting == 0);
    assert!(serve(house.visit()));
}

#[test]
fn a_keeper_that_is_relieved_ends_and_the_next_one_keeps_the_door() {
    let mut house = House::new(|| {});
    let post = Arc::clone(&house.threads.posts[0].0);
    // Whether it rests beside others who wait, or waits itself.
    house.threads.relieve();
    serve_three(&house);
    house.threads.relieve();
    assert_eq!(post.state().keeper, 3);
    house.wait_for(|waiting| waiting == 0);
    // This one has it, those who began before it have not.
    let deadline = Instant::now() + Duration::from_secs(30);
    while Arc::strong_count(&post) > 3 {
        assert!(Instant::now() < deadline, "a keeper goes on");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(serve(house.visit()));
}

#[test]
fn those_that_wait_end_with_their_owner_and_nobody_is_let_in_behind_them() {
    let house = House::new(|| {});
    let here = house.visit();
    let post = Arc::clone(&house.threads.posts[0].0);
    let address = house.address;
    assert!(serve(house.visit()));
    house.wait_for(|waiting| waiting == 1);
    drop(house);
    assert_eq!(post.state().waiting, 0);
    assert!(TcpStream::connect(address).is_err());
    // Whoever was let in before is served, and then its thread ends.
    assert!(serve(here));
    let deadline = Instant::now() + Duration::from_secs(30);
    while Arc::strong_count(&post) > 1 {
        assert!(Instant::now() < deadline, "a thread goes on");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn those_who_come_to_a_door_that_was_passed_on_wait_for_whoever_has_it_next() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let passed_on = listener.try_clone().unwrap();
    let door = Door::passed_on(Entrance::Plain, passed_on).unwrap();
    let house = House::with(door, || {});
    serve_three(&house);
    let address = house.address;
    drop(house);
    let late = TcpStream::connect(address).unwrap();
    let (_, peer) = listener.accept().unwrap();
    assert_eq!(peer, late.local_addr().unwrap());
}

#[test]
fn a_panic_takes_its_own_thread_alone_with_it() {
    let house = House::new(|| panic!("as it should"));
    for _ in 0..3 {
        assert!(!serve(house.visit()));
    }
}
