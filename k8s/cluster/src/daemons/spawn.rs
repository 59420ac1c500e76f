//! Starting a program so that it is in its cgroups and its network namespace before its first instruction,
//! and outlives whoever started it.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::libc::{CLOSE_RANGE_CLOEXEC, SYS_close_range, syscall};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{setsid, write};

use super::Daemon;
use crate::cgroup::Hierarchies;
use crate::command::path_with;
use crate::error::Doing;
use crate::node::{Node, namespace_path};
use crate::process::ProcessId;
use crate::{Error, Result};

/// Where a node's daemons run.
pub(crate) struct Place {
    network: File,
    members: Vec<File>,
}

impl Place {
    /// Opens the node's network namespace and the cgroup of its daemons.
    pub(crate) fn open(node: &Node, hierarchies: &Hierarchies) -> Result<Self> {
        let path = namespace_path(&node.name());
        let network = File::open(&path).doing(|| format!("opening {}", path.display()))?;
        Ok(Self { network, members: hierarchies.open_members(&node.system_cgroup())? })
    }

    /// Starts a daemon there, its output in `log`.
    pub(crate) fn start(&self, daemon: &Daemon, root: &Path, log: &Path) -> Result<ProcessId> {
        let doing = || format!("starting {}", daemon.program.display());
        let file =
            File::options().create(true).append(true).open(log).doing(|| format!("opening {}", log.display()))?;
        let mut command = Command::new(&daemon.program);
        // The user's environment (proxies, KUBECONFIG, Go settings) must not reach the node.
        command.args(&daemon.arguments).env_clear().current_dir(root).env("HOME", root);
        command.env("PATH", path_with(daemon.program.parent().unwrap_or(root)));
        command.stdin(Stdio::null()).stdout(file.try_clone().doing(doing)?).stderr(file);
        self.enter_before_exec(&mut command)?;
        let mut child = command.spawn().doing(doing)?;
        let id = ProcessId::of(child.id() as i32);
        // While we live we are its parent, and a child that nobody waits for stays a zombie.
        std::thread::spawn(move || child.wait());
        id.ok_or_else(|| Error::DaemonEnded { name: daemon.name.clone(), log: log.to_owned(), tail: String::new() })
    }

    #[expect(unsafe_code, reason = "only the child itself can move before it runs anything")]
    fn enter_before_exec(&self, command: &mut Command) -> Result<()> {
        let copy = |file: &File| file.try_clone().doing(|| "copying a file descriptor".into());
        let network = copy(&self.network)?;
        let members = self.members.iter().map(copy).collect::<Result<Vec<_>>>()?;
        let enter = move || {
            for member in &members {
                write(member.as_fd(), b"0")?;
            }
            setns(network.as_fd(), CloneFlags::CLONE_NEWNET)?;
            // Its own session: Ctrl-C in the terminal of `up` is not for the daemons.
            setsid()?;
            // Whatever `up` was started with (a lock, a pipe) must not stay open as long as the cluster is up. Kernels
            // before 5.11 refuse, and then it does.
            // SAFETY: a system call on numbers; it marks descriptors of this process, which is about to exec.
            unsafe { syscall(SYS_close_range, 3, u32::MAX, CLOSE_RANGE_CLOEXEC) };
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes system calls only (write, setns, setsid, close_range), on
        // descriptors opened before; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}
