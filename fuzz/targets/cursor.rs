//! libFuzzer's way into `ottla_fuzz::cursor`.
#![no_main]
#![expect(unsafe_code, reason = "libFuzzer calls an exported function")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::cursor(data));
