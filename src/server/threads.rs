//! The threads of control connections: one for each. Whoever has served a client waits for the next one for a while.
//!
//! A keeper at each door waits while nobody else does, and has a new thread serve the client that comes. To start and end one
//! takes half of what all of a login takes: its stack with a guard, and another one for signals, are made and thrown away. So a
//! thread whose client has left waits at the door itself, and the system gives clients to those who wait: no thread has to wake
//! another. Each thread has a piece of the heap taken up that it was started on, and nothing below that goes back to the system:
//! so those of sessions are started by keepers, which last, and keepers by whoever has the [`Threads`].

use super::entrance::{Door, Entrance, TURN};
use super::heap;
use crate::stream::timed_out;
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The stack of a thread, in bytes. Only what is touched of it takes up memory.
const STACK: usize = 256 * 1024;
/// The stack of a keeper. It is larger, so that no keeper gets one that a session's thread has left, to which a piece of the heap
/// belongs that lies where the crowd was.
const KEEPER_STACK: usize = 1024 * 1024;
/// How many wait at a door beside its keeper: with 64, and an age of ten seconds, a crowd left two MiB more behind than it had
/// found.
const MOST_WAITING: usize = 8;
/// At which age a thread waits for none any more: the piece of the heap that goes with it holds in place what is below it.
const OLD: Duration = Duration::from_secs(2);
/// How long a keeper rests when the system has no descriptor or memory for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How long nobody waits before the keeper does: where many come and go, somebody is back within that time.
const GRACE: Duration = Duration::from_millis(2);
/// How long the last of those who wait may take to go.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is done with the clients.
pub(super) trait Host: Send + Sync + 'static {
    /// A client that was let in.
    type Guest: Send;
    /// What has to be known of one to send it away.
    type Caller;

    /// Lets a client in, which must take no time, or does not.
    fn admit(&self, entrance: Entrance, socket: TcpStream, peer: SocketAddr)
    -> Option<Self::Guest>;

    /// Serves a client until it leaves.
    fn serve(&self, guest: Self::Guest);

    /// Who a guest is.
    fn caller(guest: &Self::Guest) -> Self::Caller;

    /// Sends a client away again for whom there is no thread.
    fn send_away(&self, caller: &Self::Caller, error: &io::Error);
}

/// The threads at some doors. When this has been dropped, nobody waits and no door is open any more; those who serve end
/// behind their clients.
#[derive(Debug)]
pub(super) struct Threads<H> {
    /// Each with its keeper.
    posts: Vec<(Arc<Post<H>>, Keeper)>,
    /// Its end tells those who wait.
    stop: Option<UnixStream>,
}

#[derive(Debug)]
struct Keeper {
    thread: JoinHandle<()>,
    /// Its end tells the keeper that it is another one's turn.
    relief: UnixStream,
}

/// A door, and those who wait at it.
#[derive(Debug)]
struct Post<H> {
    door: Door,
    host: Arc<H>,
    stopped: Arc<UnixStream>,
    state: Mutex<State>,
    /// Nobody waits any more, beside the keeper.
    deserted: Condvar,
}

/// One of those who wait at it beside the keeper, for as long as this lives.
struct Waiting<'p, H>(&'p Post<H>);

#[derive(Debug, Default)]
struct State {
    /// How many wait beside the keeper.
    waiting: usize,
    /// Which of the keepers, which are counted, it is the turn of.
    keeper: u64,
    /// Whether the keeper has to be told when that is none any more.
    keeper_rests: bool,
    is_closed: bool,
}

impl<H: Host> Threads<H> {
    /// Has a keeper wait at each of the doors.
    ///
    /// # Errors
    /// The system has no room for so many threads.
    pub(super) fn start(doors: Vec<Door>, host: &Arc<H>) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let stopped = Arc::new(stopped);
        let mut threads = Self {
            posts: Vec::new(),
            stop: Some(stop),
        };
        for door in doors {
            let post = Arc::new(Post {
                door,
                host: Arc::clone(host),
                stopped: Arc::clone(&stopped),
                state: Mutex::default(),
                deserted: Condvar::new(),
            });
            let keeper = post.hire()?;
            threads.posts.push((post, keeper));
        }
        Ok(threads)
    }

    /// Has other keepers take over. Of the small pieces that sessions have left in a keeper's heap, glibc sets some aside for it,
    /// wherever they lie: they go back when it ends.
    pub(super) fn relieve(&mut self) {
        for (post, keeper) in &mut self.posts {
            match post.hire() {
                // Nobody waits for the earlier one: whoever did would be the one that frees its stack, and others beside it.
                Ok(next) => drop(mem::replace(keeper, next).dismiss(post)),
                Err(error) => log::debug!("a keeper is not relieved: {error}"),
            }
        }
    }

    /// The address of the first of these doors that is of this kind.
    pub(super) fn address(&self, kind: Entrance) -> io::Result<Option<SocketAddr>> {
        let mut doors = self.posts.iter().map(|(post, _)| &post.door);
        let first = doors.find(|door| door.entrance == kind);
        first.map(Door::address).transpose()
    }
}

impl<H> Drop for Threads<H> {
    fn drop(&mut self) {
        for (post, _) in &self.posts {
            post.state().is_closed = true;
            post.door.shut();
        }
        self.stop = None;
        for (post, keeper) in self.posts.drain(..) {
            // It panics only if there is a defect in it, which the panic itself has told of.
            let _ = keeper.dismiss(&post).join();
            let some_wait = |state: &mut State| state.waiting > 0;
            // Whoever waits longer than that is of no harm: it ends with the process.
            let deserted = &post.deserted;
            let _ = deserted.wait_timeout_while(post.state(), PATIENCE, some_wait);
        }
    }
}

fn start(stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().stack_size(stack).spawn(work)
}

impl<H: Host> Post<H> {
    /// Starts a keeper. When this returns it is its turn.
    fn hire(self: &Arc<Self>) -> io::Result<Keeper> {
        let (relief, relieved) = UnixStream::pair()?;
        // It looks here first.
        let mut state = self.state();
        let (post, number) = (Arc::clone(self), state.keeper + 1);
        let thread = start(KEEPER_STACK, move || post.keep(number, &relieved))?;
        state.keeper = number;
        Ok(Keeper { thread, relief })
    }

    /// Waits for clients while nobody else does, and has a new thread serve each.
    fn keep(self: &Arc<Self>, number: u64, relieved: &UnixStream) {
        while self.is_deserted(number) {
            match self.wait(true, relieved) {
                Ok(Some(guest)) => self.take_in(guest),
                Ok(None) => {}
                Err(error) if is_nothing(&error) || self.state().is_closed => {}
                Err(error) => {
                    log::error!("cannot accept a connection: {error}");
                    thread::sleep(EXHAUSTED_PAUSE);
                }
            }
        }
    }

    /// Waits until nobody else waits, and says no when this keeper is not to wait any more.
    fn is_deserted(&self, keeper: u64) -> bool {
        let is_over = |state: &State| state.is_closed || state.keeper != keeper;
        let mut state = self.state();
        while state.waiting > 0 && !is_over(&state) {
            state.keeper_rests = true;
            drop(self.deserted.wait(state));
            thread::sleep(GRACE);
            state = self.state();
        }
        !is_over(&state)
    }

    /// Has a new thread serve this client first.
    fn take_in(self: &Arc<Self>, guest: H::Guest) {
        // Of a thread that does not begin nothing comes back.
        let caller = H::caller(&guest);
        let post = Arc::clone(self);
        if let Err(error) = start(STACK, move || post.serve(guest)) {
            self.host.send_away(&caller, &error);
        }
    }

    /// Serves one client after the other, for as long as this thread is of use.
    fn serve(&self, first: H::Guest) {
        let born = Instant::now();
        let mut guest = Some(first);
        while let Some(next) = guest {
            self.host.serve(next);
            heap::tidy();
            guest = self.next_guest(born.elapsed());
        }
    }

    /// Waits a little for the next client, for a thread of that age.
    ///
    /// Not a part of what calls it, since a session keeps each page of the stack that it has touched.
    #[inline(never)]
    fn next_guest(&self, age: Duration) -> Option<H::Guest> {
        let mut state = self.state();
        if state.is_closed || age >= OLD || state.waiting >= MOST_WAITING {
            return None;
        }
        state.waiting += 1;
        drop(state);
        let _waiting = Waiting(self);
        let since = Instant::now();
        while since.elapsed() < TURN && !self.state().is_closed {
            match self.wait(false, &self.stopped) {
                Ok(Some(guest)) => return Some(guest),
                Ok(None) => {}
                Err(error) if is_nothing(&error) => {}
                // The keeper meets the same, and says so.
                Err(_) => return None,
            }
        }
        None
    }

    /// Waits for the next client as [`Door::accept`] has it. `None` if it was not let in.
    fn wait(&self, alone: bool, stop: &UnixStream) -> io::Result<Option<H::Guest>> {
        let (socket, peer) = self.door.accept(alone, stop)?;
        Ok(self.host.admit(self.door.entrance, socket, peer))
    }
}

impl Keeper {
    /// Wakes it, to end because it is not its turn any more.
    fn dismiss<H>(self, post: &Post<H>) -> JoinHandle<()> {
        drop(self.relief);
        post.deserted.notify_all();
        self.thread
    }
}

impl<H> Post<H> {
    fn state(&self) -> MutexGuard<'_, State> {
        // It is whole after every statement that touches it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Drop for Waiting<'_, H> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.waiting -= 1;
        let is_last = state.waiting == 0;
        if is_last && (state.is_closed || mem::take(&mut state.keeper_rests)) {
            self.0.deserted.notify_all();
        }
    }
}

/// Whether nobody has come, and nothing is wrong.
fn is_nothing(error: &io::Error) -> bool {
    let passes = matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
    );
    passes || timed_out(error)
}

#[cfg(test)]
mod tests;
