//! A server that the tests start, and that ends with them.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The shell holds the server and ends it when its own input does: when this is
/// dropped, and just as well when the test binary is killed.
const KEEPER: &str = r#""$@" & server=$!; cat >/dev/null; kill "$server"; wait "$server" 2>/dev/null"#;

/// How long a server may take to listen; node and Python need seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    keeper: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a program that will listen on `address`, and waits until it does. Its
    /// output goes to `NAME.log` in the folder.
    pub fn start(name: &str, folder: &Path, address: SocketAddr, program: &Path, args: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).expect("log");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("log"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let server = Self { keeper, log, address };
        server.wait_until_it_listens(name);
        server
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn wait_until_it_listens(&self, name: &str) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(
                start.elapsed() < PATIENCE,
                "{name} does not listen on {} after {PATIENCE:?}; it said: {}",
                self.address,
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// An address on loopback on which nobody listens.
pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a free port")
}
