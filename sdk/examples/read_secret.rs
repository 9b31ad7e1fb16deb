//! A workload reads its database password.
//!
//! ```sh
//! export SPIFFE_ENDPOINT_SOCKET=unix:///tmp/spire-agent/public/api.sock
//! export SPIKE_NEXUS_API_URL=https://localhost:8553
//! export SPIKE_TRUST_ROOT_NEXUS=example.org
//! cargo run -p spike-sdk --example read_secret -- tenants/acme/db/creds password
//! ```
use std::error::Error;
use std::io::Write;

use spike_sdk::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let path = words.next().ok_or("usage: read_secret PATH KEY")?;
    let key = words.next().ok_or("usage: read_secret PATH KEY")?;

    let client = Client::connect().await?;
    let secret = client.get_secret(&path).await?;
    // `&secret.data["password"]` gives the same, and panics when there is no such key.
    let value = secret.data.get(&key).ok_or("the secret has no such key")?;

    writeln!(std::io::stdout(), "{value}")?;
    Ok(())
}
