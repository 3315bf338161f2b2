//! libFuzzer's way into `ottla_fuzz::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::message(data));
