//! PgBouncer from Debian's package in front of the tests' cluster, in transaction mode: a
//! client has another server after every transaction, and no prepared statement outlives one.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::child::{Server, free_address};
use super::folder;
use super::postgres::{as_postgres, cluster, data_folder, warden};

const INSTALLED: &str = "/usr/sbin/pgbouncer";

/// Servers of each database; fewer than the clients, so that these share them.
const SERVERS: usize = 3;

/// The one pooler of this test binary.
fn pgbouncer() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let program = PathBuf::from(INSTALLED);
        assert!(
            program.exists(),
            "{INSTALLED} is missing: run ./scripts/test, which installs it, or `apt-get install pgbouncer`"
        );
        let (address, behind) = (free_address(), cluster().address());
        let data = data_folder("pgbouncer");
        let settings = data.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={port} user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {listen}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             max_client_conn = 500\n\
             ; All are open from the first, and each transaction gets the next one: what\n\
             ; rests on keeping a server fails at once, not once in a while.\n\
             default_pool_size = {SERVERS}\n\
             min_pool_size = {SERVERS}\n\
             server_round_robin = 1\n",
            port = behind.port(),
            listen = address.port(),
        );
        std::fs::write(&settings, text).expect("settings");
        let program = as_postgres(&program);
        let args = warden(&data, "TERM", &program, &[settings.to_str().expect("UTF-8")]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Server::start("pgbouncer", &folder("pgbouncer"), address, Path::new("/bin/sh"), &args)
    })
}

/// The URL of a database of the tests' cluster, through the pooler.
pub fn url(database: &str) -> String {
    format!("postgres://postgres@{}/{database}", pgbouncer().address)
}
