//! The program; everything is in the library.

fn main() -> std::process::ExitCode {
    auditferry::cli::main()
}
