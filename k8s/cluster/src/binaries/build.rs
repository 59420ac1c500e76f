//! `go build -o DIR tool`, once.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use super::{Go, cache, check_complete, directory, find_go, kubernetes_version, source};
use crate::command::{find_program, tail_of};
use crate::error::Doing;
use crate::steps::Steps;
use crate::{Error, Result};

const PREFIX: &str = "building-";

/// Whether [`ensure`] will find everything built.
pub fn is_built() -> bool {
    directory().is_ok_and(|dir| check_complete(&dir).is_ok())
}

/// Returns the directory of the programs, after building them if this has not happened yet.
pub fn ensure(quiet: bool) -> Result<PathBuf> {
    ensure_with(&Steps::new(quiet))
}

/// The same, and given up as soon as `stop` is set.
pub fn ensure_unless(quiet: bool, stop: Arc<AtomicBool>) -> Result<PathBuf> {
    ensure_with(&Steps::stoppable(quiet, stop))
}

pub(crate) fn ensure_with(steps: &Steps) -> Result<PathBuf> {
    let bin = directory()?;
    if check_complete(&bin).is_ok() {
        return Ok(bin);
    }
    let go = find_go()?;
    let cache = cache()?;
    fs::create_dir_all(&cache).doing(|| format!("making {}", cache.display()))?;
    let _lock = lock(&cache, steps)?;
    if check_complete(&bin).is_ok() {
        return Ok(bin);
    }
    remove_abandoned(&cache)?;
    announce(&go, steps);
    let temporary = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&cache);
    let temporary = temporary.doing(|| format!("making a directory in {}", cache.display()))?;
    source::write(&temporary.path().join("source"))?;
    compile(&go, temporary.path(), steps)?;
    publish(temporary.path(), &bin)?;
    steps.say(format!("Kubernetes {} is built: {}", kubernetes_version(), bin.display()));
    Ok(bin)
}

/// One build at a time; the lock goes with the process.
fn lock(cache: &Path, steps: &Steps) -> Result<Flock<File>> {
    let path = cache.join("lock");
    let file = File::create(&path).doing(|| format!("making {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((file, _)) => {
            steps.say("waiting for another build of the same programs");
            let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno);
            lock.doing(|| format!("locking {}", path.display()))
        }
    }
}

/// Removes what killed builds left. Under the lock, nobody else can be using it.
fn remove_abandoned(cache: &Path) -> Result<()> {
    let entries = fs::read_dir(cache).doing(|| format!("reading {}", cache.display()))?;
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        fs::remove_dir_all(entry.path()).doing(|| format!("removing {}", entry.path().display()))?;
    }
    Ok(())
}

fn announce(go: &Go, steps: &Steps) {
    let version = kubernetes_version();
    let fetch = if go.fetches_newer { ", fetching a newer Go first" } else { "" };
    steps.say(format!(
        "building Kubernetes {version} from source with Go {}{fetch} (once; 5 to 10 minutes on 2 cores, less on more)",
        go.version
    ));
}

fn compile(go: &Go, dir: &Path, steps: &Steps) -> Result<()> {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).doing(|| format!("making {}", bin.display()))?;
    let mut command = yielding(&go.path);
    // -buildvcs=false: the cache may lie within someone's repository. The linker drops what is there for debuggers; not
    // making it in the first place saves a seventh of the time.
    let flags = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags"];
    command.arg("build").args(flags).arg(source::linker_flags()).arg("-o");
    command.arg(&bin).arg("tool").current_dir(dir.join("source"));
    command.env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().doing(|| format!("starting {}", go.path.display()))?;
    let mut pipe = child.stderr.take();
    let reader = std::thread::spawn(move || -> io::Result<String> {
        let mut text = String::new();
        match pipe.as_mut() {
            Some(pipe) => pipe.read_to_string(&mut text).map(|_| text),
            None => Ok(text),
        }
    });
    let started = Instant::now();
    let mut next_word = Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().doing(|| "waiting for go build".into())? {
            break status;
        }
        if started.elapsed() >= next_word {
            steps.say(format!("still building Kubernetes ({} min)", next_word.as_secs() / 60));
            next_word += Duration::from_secs(60);
        }
        if let Err(stop) = steps.check() {
            // Ctrl-C has reached Go as well; after this nothing writes to the directory that is about to go.
            let _ = child.kill();
            let _ = child.wait();
            return Err(stop);
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let text = reader.join().ok().and_then(io::Result::ok).unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    Err(Error::Command { command: "go build tool".into(), status: status.to_string(), output: tail_of(&text, 30) })
}

/// What is built beside it goes first: Go fills every processor until its end, while a Rust build waits for single long steps.
fn yielding(program: &Path) -> Command {
    let Some(nice) = find_program("nice") else { return Command::new(program) };
    let mut command = Command::new(nice);
    command.args(["-n", "10"]).arg(program);
    command
}

/// Puts the finished programs in place at once: nobody ever sees half a directory.
fn publish(temporary: &Path, bin: &Path) -> Result<()> {
    let built = temporary.join("bin");
    // Go names a program after its directory, and etcd's is called `server`.
    fs::rename(built.join("server"), built.join("etcd")).doing(|| format!("naming etcd in {}", built.display()))?;
    check_complete(&built)?;
    if bin.exists() {
        fs::remove_dir_all(bin).doing(|| format!("removing the incomplete {}", bin.display()))?;
    }
    let parent = bin.parent().unwrap_or(bin);
    fs::create_dir_all(parent).doing(|| format!("making {}", parent.display()))?;
    fs::rename(&built, bin).doing(|| format!("moving the programs to {}", bin.display()))
}
