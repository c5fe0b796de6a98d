//! What a server costs: the processor time and the memory of all its processes.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// The unit of processor time in `/proc`, which Linux shows to programs as 100 a second whatever it counts in.
const TICK: Duration = Duration::from_millis(10);

/// The processor time of the process, of all that it has started, and of those among them that have ended.
pub(crate) fn cpu(root: u32) -> Duration {
    let all = processes();
    let ticks = tree(root, &all)
        .iter()
        .map(|pid| all[pid].ticks)
        .sum::<u32>();
    TICK * ticks
}

/// The memory of the process and all that it has started, what they share with others in proportion, in KiB.
pub(crate) fn pss_kib(root: u32) -> u64 {
    let of = |pid: &u32| {
        // It may have ended meanwhile.
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let mut lines = text.lines();
        lines.find_map(|line| {
            let kib = line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?;
            kib.parse::<u64>().ok()
        })
    };
    tree(root, &processes()).iter().filter_map(of).sum()
}

struct Process {
    parent: u32,
    /// Its own time, and that of the children that it has waited for.
    ticks: u32,
}

fn processes() -> HashMap<u32, Process> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // pid (name, which may hold anything) state parent …; utime is the 14th, then stime, cutime, cstime
            let (_, fields) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
            let parent = fields.get(1)?.parse().ok()?;
            let times = fields.get(11..15)?.iter();
            let ticks = times.filter_map(|time| time.parse::<u32>().ok()).sum();
            Some((pid, Process { parent, ticks }))
        })
        .collect()
}

/// The process and all below it.
fn tree(root: u32, all: &HashMap<u32, Process>) -> Vec<u32> {
    let mut found: Vec<u32> = all
        .contains_key(&root)
        .then_some(root)
        .into_iter()
        .collect();
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(
            all.iter()
                .filter(|(_, child)| child.parent == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found
}
