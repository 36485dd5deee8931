//! The program; everything is in the library.

fn main() -> std::process::ExitCode {
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    auditferry::cli::main()
}
