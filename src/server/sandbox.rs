//! What the process gives up once it has opened all that it needs: files outside its folders, other processes, its own
//! memory in a core dump.

use super::Config;
use super::status;
use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope, make_bitflags,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::path::{Path, PathBuf};

/// Whether the server gives up what it does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// As far as the kernel can.
    Auto,
    /// Or it does not start.
    Require,
    /// Not at all, so that a debugger may look into it.
    Off,
}

/// What a sandbox has to hold at the least to be one: Linux 6.2, the first with a rule for `truncate`.
const LEAST: ABI = ABI::V3;
/// The newest rules that there are. Where the kernel does not know one of them, it is left out.
const NEWEST: ABI = ABI::V9;

/// No core is dumped, in which there would be passwords and what clients send. Without a sandbox a debugger may still look
/// into the process, and so may whoever else runs as its user.
///
/// # Errors
/// The system refuses.
pub fn keep_memory_private(sandbox: Sandbox) -> Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).context("cannot switch core dumps off")?;
    // The limit is none to a core that goes to a program (systemd-coredump, apport).
    if sandbox != Sandbox::Off {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .context("cannot switch core dumps off")?;
    }
    Ok(())
}

/// Leaves this thread, and all that it starts from now on, only the folders of [`allowed`].
///
/// There are no rules for ports: transfers listen on any of the passive ones, and connect to any that a client names.
///
/// # Errors
/// The sandbox is required and the kernel cannot make it.
pub(super) fn enter(config: &Config) -> Result<()> {
    if config.sandbox == Sandbox::Off {
        return Ok(());
    }
    match restrict(config) {
        Ok(version) => {
            log::info!("sandboxed by Landlock (version {version})");
            Ok(())
        }
        Err(error) if config.sandbox == Sandbox::Require => Err(error.context(
            "cannot make the sandbox, which --sandbox require asks for (Linux 6.2 or later has it, if \
             /sys/kernel/security/lsm names landlock; --sandbox auto does without it)",
        )),
        Err(error) => {
            log::warn!("serving without a sandbox: {error:#}");
            Ok(())
        }
    }
}

/// What the server may touch once it runs, and how. All that it opens later belongs here.
fn allowed(config: &Config) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let read = AccessFs::ReadFile.into();
    // To rename something takes the right to make one.
    let serve = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | RemoveFile | RemoveDir | Refer
        | MakeReg | MakeDir | MakeSym | MakeFifo | MakeSock
    });
    let mut allowed = vec![(config.root.clone(), serve)];
    let certificate = config.tls.certificate.iter();
    let certificate = certificate.flat_map(|files| [&files.certificate, &files.key]);
    let read_again = config
        .users
        .iter()
        .chain(&config.settings)
        .chain(certificate);
    let folders = read_again.flat_map(|file| folders_of(file));
    // The server's own certificate is there; a folder that could not be made is not.
    let state = config.tls.state.as_deref().filter(|state| state.is_dir());
    let folders = folders.chain(state.map(Path::to_owned));
    allowed.extend(folders.map(|folder| (folder, read)));
    // The socket there is removed at the end.
    let status = state.map(status::folder).filter(|folder| folder.is_dir());
    allowed.extend(status.map(|folder| (folder, AccessFs::RemoveFile.into())));
    allowed
}

/// Where a file is looked for when it is read again. It is not the same file then, but another that was renamed to its name,
/// and where the name is a link, what it leads to may be in another folder.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let folder = |file: &Path| match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders = vec![folder(file)];
    folders.extend(file.canonicalize().map(|file| folder(&file)));
    folders
}

/// Returns the version of the kernel's Landlock.
fn restrict(config: &Config) -> Result<i32> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(LEAST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        // No signal to another process, and no way to one over an abstract socket.
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for (folder, access) in allowed(config) {
        log::debug!("the sandbox leaves {}", folder.display());
        rules = rules.add_rule(PathBeneath::new(PathFd::new(&folder)?, access))?;
    }
    match rules.restrict_self()? {
        RestrictionStatus {
            landlock:
                LandlockStatus::Available {
                    effective_abi,
                    kernel_abi,
                },
            ..
        } => Ok(kernel_abi.unwrap_or(effective_abi as i32)),
        _ => Err(anyhow!("the kernel has no Landlock")),
    }
}
