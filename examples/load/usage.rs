//! What processes have used, from Linux's /proc.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Ticks of /proc/PID/stat in a second: the same on every Linux that we know.
const TICKS: f64 = 100.0;
/// How often a running process is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// A process that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// Most resident memory, in bytes.
    pub(crate) peak: u64,
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> std::io::Result<Ended> {
    let started = Instant::now();
    let mut child = command.spawn()?;
    let pid = child.id();
    let mut peak = 0;
    while !is_zombie(pid) {
        peak = peak_of(pid).unwrap_or(peak);
        std::thread::sleep(PAUSE);
    }
    let wall = started.elapsed().as_secs_f64();
    let cpu = own(pid);
    Ok(Ended { status: child.wait()?, wall, cpu, peak })
}

/// The fields of /proc/PID/stat after the name.
fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace().map(str::to_owned).collect()
}

fn seconds(stat: &[String], fields: std::ops::Range<usize>) -> f64 {
    let ticks = |field: &String| field.parse::<f64>().unwrap_or(0.0);
    stat.get(fields).map_or(0.0, |fields| fields.iter().map(ticks).sum::<f64>() / TICKS)
}

fn is_zombie(pid: u32) -> bool {
    stat(pid).first().is_none_or(|state| state == "Z")
}

/// Most resident memory of a process so far, in bytes.
pub(crate) fn peak_of(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
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
    seconds(&stat(pid), 11..15) + children.sum::<f64>()
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
