//! What the system lets a process have: descriptors and threads, beside the clients that it is to have.

use super::Finding;
use crate::shown::counted;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::{Path, PathBuf};

/// The descriptors of a client during a transfer: control connection, data connection, file.
const DESCRIPTORS: u64 = 3;
/// The descriptors that the server has for itself, and a few to spare.
const OWN_DESCRIPTORS: u64 = 32;
/// The threads that the server has beside one for each client, and a few to spare.
const OWN_THREADS: u64 = 8;
/// Where the kernel shows control groups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Whether each client can have its descriptors, under the limit as it is now.
pub(super) fn descriptors(clients: usize) -> Finding {
    const ABOUT: &str = "descriptors";
    let clients = as_count(clients);
    let all = counted(clients, "client");
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return Finding::fine(ABOUT, format!("no limit, for {all}"));
    };
    let room = limit.saturating_sub(OWN_DESCRIPTORS) / DESCRIPTORS;
    if room >= clients {
        return Finding::fine(ABOUT, format!("{limit}, for {all}"));
    }
    let need = clients
        .saturating_mul(DESCRIPTORS)
        .saturating_add(OWN_DESCRIPTORS);
    Finding::warning(
        ABOUT,
        format!(
            "{limit} are enough for {} with transfers, and --max-clients allows {clients}; raise the hard limit \
             (ulimit -n {need}, systemd: LimitNOFILE={need}), or --max-clients {}",
            counted(room, "client"),
            room.max(1)
        ),
    )
}

/// Whether each client can have its thread.
pub(super) fn threads(clients: usize) -> Finding {
    const ABOUT: &str = "threads";
    let clients = as_count(clients);
    let all = counted(clients, "client");
    let least = thread_limits().into_iter().min_by_key(|limit| limit.most);
    let Some(Limit { most, cure }) = least else {
        return Finding::fine(ABOUT, format!("no limit, for {all}"));
    };
    let room = most.saturating_sub(OWN_THREADS);
    if room >= clients {
        return Finding::fine(ABOUT, format!("{most}, for {all}"));
    }
    let need = clients.saturating_add(OWN_THREADS);
    Finding::warning(
        ABOUT,
        format!(
            "{most} are enough for {}, and --max-clients allows {clients}; raise the limit ({}), or --max-clients {}",
            counted(room, "client"),
            cure.replace("NEED", &need.to_string()),
            room.max(1)
        ),
    )
}

/// How many threads there may be by one of the system's rules, and what raises that.
#[derive(Debug)]
struct Limit {
    most: u64,
    cure: &'static str,
}

fn thread_limits() -> Vec<Limit> {
    let mut limits = Vec::new();
    // Root's are not counted.
    if !rustix::process::geteuid().is_root() {
        let most = getrlimit(Resource::Nproc).current;
        limits.extend(most.map(|most| Limit {
            most,
            cure: "ulimit -u NEED, systemd: LimitNPROC=NEED",
        }));
    }
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let files = pids_files(&groups, Path::new(CGROUPS));
    limits.extend(files.iter().filter_map(|file| {
        Some(Limit {
            // Where there is no limit it says "max".
            most: number(file)?,
            cure: "systemd: TasksMax=NEED, Docker: --pids-limit NEED",
        })
    }));
    for (file, cure) in [
        (
            "/proc/sys/kernel/threads-max",
            "sysctl kernel.threads-max=NEED, and more for all else",
        ),
        (
            "/proc/sys/kernel/pid_max",
            "sysctl kernel.pid_max=NEED, and more for all else",
        ),
    ] {
        limits.extend(number(Path::new(file)).map(|most| Limit { most, cure }));
    }
    limits
}

/// The files that limit the threads of a process in these groups, which are the lines of `/proc/self/cgroup`: `0::/a/b`, or
/// `7:pids:/a/b` where the groups are of the first version. A group keeps to what those above it may, too.
fn pids_files(groups: &str, base: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let base = match controllers {
            "" => base.to_owned(),
            _ if controllers.split(',').any(|name| name == "pids") => base.join("pids"),
            _ => continue,
        };
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(
            group
                .ancestors()
                .map(|group| base.join(group).join("pids.max")),
        );
    }
    files
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn as_count(clients: usize) -> u64 {
    u64::try_from(clients).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_and_those_above_it_have_a_file() {
        let of = |groups| {
            let files = pids_files(groups, Path::new("/g"));
            files
                .iter()
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of("0::/a/b.service\n"),
            ["/g/a/b.service/pids.max", "/g/a/pids.max", "/g/pids.max"]
        );
        assert_eq!(
            of("9:cpu,pids:/x\n8:memory:/y\nnonsense\n"),
            ["/g/pids/x/pids.max", "/g/pids/pids.max"]
        );
    }
}
