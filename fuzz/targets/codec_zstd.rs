//! libFuzzer's way into `ottla_fuzz::codec_zstd`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::codec_zstd(data));
