//! A thread that carries frames from one file to another and back, each after the same delay, loses some, and counts them.

use super::Dice;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What stands before each frame: Linux's `virtio_net_hdr`, which goes to the other side as it is.
const HEADER: usize = 10;
const ETHERNET: usize = 14;
/// The longest frame, with what stands before it.
const FRAME: usize = HEADER + ETHERNET + 65_536;

/// What has gone over the connections to one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many connections there were.
    pub(crate) connections: usize,
    /// How often, on the one with the most of it, data went to the far side after data had come from there: the round
    /// trips that cannot be had for less.
    pub(crate) turns: u32,
}

/// What the frames that are lost are picked by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    /// How many of a thousand are lost, each way.
    pub(crate) per_thousand: u64,
    /// Where the dice begin.
    pub(crate) seed: u64,
}

/// A relay between two files, which ends with this value.
pub(crate) struct Relay {
    flows: Arc<Mutex<Flows>>,
    /// Ends the thread when it is closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Carries frames between `near` and `far`, each with `delay`, but for those that are lost.
    pub(crate) fn start(near: File, far: File, delay: Duration, loss: Loss) -> Self {
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
        for file in [&near, &far] {
            let flags = fcntl_getfl(file).expect("the flags of the file");
            fcntl_setfl(file, flags | OFlags::NONBLOCK).expect("the flag is set");
        }
        let flows = Arc::new(Mutex::new(Flows::default()));
        let ours = Arc::clone(&flows);
        let thread = thread::spawn(move || carry(&[near, far], &stopped, delay, loss, &ours));
        Self {
            flows,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn counts(&self, port: u16) -> Counts {
        let flows = lock(&self.flows);
        let of_port = || flows.known.iter().filter(|(ports, _)| ports[1] == port);
        Counts {
            connections: of_port().count(),
            turns: of_port().map(|(_, flow)| flow.turns).max().unwrap_or(0),
        }
    }

    /// How many frames were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        lock(&self.flows).lost
    }

    pub(crate) fn forget(&self, port: u16) {
        for (ports, flow) in &mut lock(&self.flows).known {
            flow.forgotten |= ports[1] == port;
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop = None;
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !thread::panicking() {
            panic!("the relay panicked");
        }
    }
}

fn lock(flows: &Mutex<Flows>) -> MutexGuard<'_, Flows> {
    flows.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries frames until `stopped` is closed: those of `files[0]` to `files[1]`, and back.
fn carry(
    files: &[File; 2],
    stopped: &UnixStream,
    delay: Duration,
    loss: Loss,
    flows: &Mutex<Flows>,
) {
    // Those of each way fall by themselves: which way's frame comes first is chance.
    let mut dice = [Dice(loss.seed), Dice(!loss.seed)];
    let mut waiting: [VecDeque<(Instant, Vec<u8>)>; 2] = Default::default();
    let mut frame = vec![0; FRAME];
    loop {
        let mut fds = [
            PollFd::new(&files[0], PollFlags::IN),
            PollFd::new(&files[1], PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
        ];
        let next = waiting
            .iter()
            .filter_map(|queue| Some(queue.front()?.0))
            .min();
        let wait = next.map(|due| {
            let wait = due.saturating_duration_since(Instant::now());
            Timespec::try_from(wait).expect("a short time")
        });
        poll(&mut fds, wait.as_ref()).expect("the files can be polled");
        if !fds[2].revents().is_empty() {
            return;
        }
        for (from, queue) in waiting.iter_mut().enumerate() {
            while let Ok(count @ 1..) = (&files[from]).read(&mut frame) {
                let frame = &frame[..count];
                let is_lost = dice[from].below(1000) < loss.per_thousand;
                let mut flows = lock(flows);
                flows.lost += u64::from(is_lost);
                if !is_lost && flows.lets_through(frame, from == 1) {
                    queue.push_back((Instant::now() + delay, frame.to_vec()));
                }
            }
            let now = Instant::now();
            while queue.front().is_some_and(|(due, _)| *due <= now) {
                let (_, frame) = queue.pop_front().expect("there is a first one");
                // What the device does not take is lost, as on any link.
                let _ = (&files[1 - from]).write(&frame);
            }
        }
    }
}

/// The connections that have been seen, by their near and far port.
#[derive(Default)]
struct Flows {
    known: HashMap<[u16; 2], Flow>,
    lost: u64,
}

#[derive(Default)]
struct Flow {
    turns: u32,
    /// Whether the last data came from the far side.
    from_far: bool,
    forgotten: bool,
}

impl Flows {
    /// Counts a frame. Whether it may pass.
    fn lets_through(&mut self, frame: &[u8], from_far: bool) -> bool {
        let Some(segment) = Segment::of(frame) else {
            return true;
        };
        let [from, to] = segment.ports;
        let ports = if from_far { [to, from] } else { [from, to] };
        if segment.opens {
            self.known.remove(&ports);
        }
        let flow = self.known.entry(ports).or_default();
        if segment.has_data {
            flow.turns += u32::from(flow.from_far && !from_far);
            flow.from_far = from_far;
        }
        !flow.forgotten
    }
}

/// What counts of a TCP segment.
struct Segment {
    ports: [u16; 2],
    /// It is the first of its connection.
    opens: bool,
    has_data: bool,
}

impl Segment {
    /// The segment in a frame, if it holds one over IPv4.
    fn of(frame: &[u8]) -> Option<Self> {
        let frame = frame.get(HEADER..)?;
        let packet = frame.get(ETHERNET..)?;
        let words = |bytes: &[u8], at: usize| {
            let word = bytes.get(at..at + 2)?;
            Some(u16::from_be_bytes([word[0], word[1]]))
        };
        if words(frame, 12)? != 0x0800 || *packet.get(9)? != 6 {
            return None;
        }
        let head = usize::from(packet[0] & 0x0F) * 4;
        let segment = packet.get(head..)?;
        let offset = usize::from(segment.get(12)? >> 4) * 4;
        Some(Self {
            ports: [words(segment, 0)?, words(segment, 2)?],
            // SYN without ACK.
            opens: segment.get(13)? & 0x12 == 0x02,
            has_data: usize::from(words(packet, 2)?) > head + offset,
        })
    }
}
