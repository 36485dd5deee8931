//! The main job on embedded defaults, with no server to install.

pub mod bucket;
