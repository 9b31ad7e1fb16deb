//! Measurements: our Check and an always-allow server that decodes the whole message, under the same load, in one run.
//!
//! **Owns** the workload (policies and requests with their expected verdicts), the load generator and the reading of a
//! process's CPU time.
//!
//! **Refuses** absolute claims: machines differ and are noisy, so what is reported are ratios between servers measured
//! in turns on the same machine.
//!
//! **Invariant**: every answer of every measured round is compared with the expected verdict; a round with one wrong
//! answer is void.

pub mod cpu;
pub mod engine;
pub mod load;
pub mod peers;
pub mod sizes;
pub mod times;
pub mod workload;
