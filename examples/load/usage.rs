//! What processes have used, from Linux's /proc.

use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Ticks of /proc/PID/stat in a second: the same on every Linux that we know.
const TICKS: f64 = 100.0;
/// Where /proc/PID/stat has the ticks of a process and of its children that have ended.
const WITH_CHILDREN: Range<usize> = 11..15;
/// How often a running process is looked at.
const PAUSE: Duration = Duration::from_millis(5);
/// And how seldom at its memory: that takes some hundred microseconds.
const MEMORY_EVERY: u32 = 10;

/// A process that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// Most resident memory, in bytes.
    pub(crate) peak: u64,
}

/// Runs a program, and all that it starts, to its end.
pub(crate) fn run(command: &mut Command) -> std::io::Result<Ended> {
    let started = Instant::now();
    let mut child = command.spawn()?;
    let pid = child.id();
    let mut peak = 0;
    for turn in 0.. {
        if is_zombie(pid) {
            break;
        }
        if turn % MEMORY_EVERY == 0 {
            // Of one process the kernel's own mark; of several what they have at one time.
            let together: u64 = tree(pid).into_iter().filter_map(|pid| memory(pid, "VmRSS:")).sum();
            peak = peak.max(peak_of(pid).unwrap_or(0)).max(together);
        }
        std::thread::sleep(PAUSE);
    }
    let wall = started.elapsed().as_secs_f64();
    let cpu = seconds(&stat(pid), WITH_CHILDREN);
    Ok(Ended { status: child.wait()?, wall, cpu, peak })
}

/// A process and all that it and its children have started.
fn tree(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        // Children are listed by the thread that started them.
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    all
}

/// The fields of /proc/PID/stat after the name.
fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace().map(str::to_owned).collect()
}

fn seconds(stat: &[String], fields: Range<usize>) -> f64 {
    let ticks = |field: &String| field.parse::<f64>().unwrap_or(0.0);
    stat.get(fields).map_or(0.0, |fields| fields.iter().map(ticks).sum::<f64>() / TICKS)
}

fn is_zombie(pid: u32) -> bool {
    stat(pid).first().is_none_or(|state| state == "Z")
}

/// Most resident memory of a process so far, in bytes.
pub(crate) fn peak_of(pid: u32) -> Option<u64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, kind: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// CPU seconds, user and system, of one process.
pub(crate) fn own(pid: u32) -> f64 {
    seconds(&stat(pid), 11..13)
}

/// CPU seconds of a process, its children, and those of its children that have ended.
pub(crate) fn family(pid: u32) -> f64 {
    let children = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        (parent(child) == Some(pid)).then(|| own(child))
    });
    seconds(&stat(pid), WITH_CHILDREN) + children.sum::<f64>()
}

/// The process that started another.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    stat(pid).get(1)?.parse().ok()
}

/// A child that is killed when this is dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a program is there.
pub(crate) fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| Path::new(&folder).join(program).is_file())
    })
}
