//! `spike operator …`
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Backup, FormatFlag, Rekey, Restore, RestoreBackup};

/// What operators do with the root key.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Save the recovery shards of SPIKE Nexus to files
    #[command(after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/recover.\n\
        Writes spike.recovery.<number>.txt, in place of any that are there. Whoever has enough of these files\n\
        has the root key: bring each to a different safe place, and delete it here.")]
    Recover(Recover),
    /// Restore SPIKE Nexus (do this if SPIKE Nexus cannot auto-recover)
    #[command(after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/restore.\n\
        Asks for one shard, the line of a recovery file. Run it again until there are enough of them: then\n\
        the root key is rebuilt, and SPIKE Nexus opens if it fits the database. Files or standard input\n\
        spare the typing:\n\n  \
        spike operator restore --file spike.recovery.1.txt --file spike.recovery.3.txt")]
    Restore(Restore),
    /// Start a new data key
    #[command(
        after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/superuser.\n\
        Every record is sealed again under the new key, while SPIKE Nexus serves; then the old one is\n\
        deleted. An official SPIKE Nexus cannot do this."
    )]
    Rotate,
    /// Change the root key
    #[command(after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/recover.\n\
        A key file is replaced, and Keepers get new shards. Where operators keep the root key, the shards\n\
        of the new one are written to files, and the old one stays until enough of them are handed in.\n\
        An official SPIKE Nexus cannot do this.\n\n\
        Examples:\n  \
        spike operator rekey\n  \
        spike operator rekey --confirm --file spike.recovery.1.txt --file spike.recovery.3.txt")]
    Rekey(Rekey),
    /// Show how the keys of SPIKE Nexus are
    #[command(
        after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/superuser, recover or restore.\n\
        Also answered while SPIKE Nexus waits for its root key."
    )]
    Status(FormatFlag),
    /// Save a backup of everything in SPIKE Nexus, while it serves
    #[command(
        after_help = "Needs the SPIFFE ID spiffe://<trust root>/spike/pilot/role/superuser.\n\
        The file holds every policy and secret, encrypted as in the database, and no root key. It is written\n\
        whole or not at all.\n\n\
        Example:\n  \
        spike operator backup --out nexus-$(date +%F).backup"
    )]
    Backup(Backup),
    /// Put a backup in the place of the database of a server that is stopped
    #[command(
        after_help = "Runs `PROGRAM restore-backup FLAGS` on this machine, as a user who may write the database.\n\
        Everything in the backup is verified before the database is replaced, which is kept under another\n\
        name.\n\n\
        Example:\n  \
        spike operator restore-backup --config nexus.yaml --from nexus-2026-01-31.backup"
    )]
    RestoreBackup(RestoreBackup),
}

/// `spike operator recover`
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Write below this directory, to its subdirectory `recover` [default: ~/.spike/recover itself]
    #[arg(long, value_name = "DIR", env = "SPIKE_PILOT_RECOVERY_DIR")]
    pub(crate) directory: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true)]
    pub(crate) home: Option<PathBuf>,
}
