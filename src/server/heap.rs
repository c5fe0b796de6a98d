//! What the allocator keeps of sessions that have ended.

use std::hint::black_box;

/// How much has to be freed at once for glibc to look at the rest, in bytes.
const AT_ONCE: usize = 64 * 1024;

/// Has glibc join the free pieces of this thread's heap, and give back to the system what is free at its end.
///
/// Small pieces (up to 128 bytes) stay apart when they are freed, until somebody frees a large one; and a session has none. A
/// few of them between the others are enough that all which thousands of sessions have had stays with the process. What is
/// asked for here is never touched, and so costs no memory. The pieces that this thread frees at its very end are joined when
/// a later session on the same heap ends.
pub(super) fn tidy() {
    drop(black_box(Vec::<u8>::with_capacity(AT_ONCE)));
}
