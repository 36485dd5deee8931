//! The real program as people run it: a process of its own, on real databases and real
//! stores. Records go in with plain SQL, as an application writes them; objects are read
//! back with tools that are not ours, and every field is compared.

mod absent;
mod addon;
mod app;
mod bad_records;
mod bucket;
mod certificates;
mod clouds;
mod commits;
mod demo;
mod extra_slots;
mod formats;
mod full_disk;
mod gate;
mod http;
mod idle;
mod ledger_replaced;
mod paths;
mod pauses;
mod replacement;
mod replays;
mod replays_by_api;
mod restart;
mod rights;
mod rows;
mod siem_readers;
mod spans;
mod store_ids;
mod traces;
mod trouble;
mod vendors_table;
mod workers;
