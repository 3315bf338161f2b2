//! libFuzzer's way into `ottla_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::frames(data));
