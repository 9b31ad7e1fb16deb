//! `spike operator restore`, `rotate`, `rekey` and `status`
use spike_sdk::Rekeyed;
use spike_wire::go_json::Shard;

use super::safe::{Safe, Unsaved};
use super::session::Session;
use super::shards;
use crate::args::{FormatFlag, Rekey, Restore};
use crate::failure::{Failure, Subject};
use crate::output::{Format, Output};

pub(super) fn restore(args: &Restore, output: &mut Output) -> Result<(), Failure> {
    let shards = shards::read(&args.files, output)?;
    let session = Session::open()?;
    let operator = session.client().operator();
    let mut last = None;
    for numbered in &shards {
        let answer = session.call(Subject::Restoration, operator.restore(numbered.id, &numbered.shard))?;
        for text in &answer.detail {
            output.error(&format!("Warning: shard {}: {text}\n", numbered.id))?;
        }
        last = Some(answer);
    }
    let Some(answer) = last else {
        return Err(Failure::data("there is no shard to hand in"));
    };
    if answer.restored {
        output.text(
            "\n  SPIKE is now restored and ready to use.\n  \
             See https://spike.ist/operations/recovery/ for next steps.\n\n",
        )?;
    } else {
        output.text(&format!(
            "\n Shards collected:  {}\n Shards remaining:  {}\n \
             Please run `spike operator restore` again to provide the remaining shards.\n\n",
            answer.collected, answer.remaining
        ))?;
    }
    Ok(())
}

pub(super) fn rotate(output: &mut Output) -> Result<(), Failure> {
    let session = Session::open()?;
    let term = session.call(Subject::Keys, session.client().operator().rotate())?;
    output.line(&format!("Records are sealed under data key {term} from now on."))?;
    Ok(output.text("Older ones follow while SPIKE Nexus serves; `spike operator status` shows how far that is.\n")?)
}

pub(super) fn status(format: &FormatFlag, output: &mut Output) -> Result<(), Failure> {
    let format: Format = format.format.parse()?;
    let session = Session::open()?;
    let status = session.call(Subject::Keys, session.client().operator().status())?;
    Ok(output.keys(&status, format)?)
}

pub(super) fn rekey(args: &Rekey, output: &mut Output) -> Result<(), Failure> {
    if args.confirm {
        return confirm(args, output);
    }
    let safe = Safe::below(args.directory.as_ref(), args.home.as_ref(), "rekey")?;
    let session = Session::open()?;
    let operator = session.client().operator();
    if args.cancel {
        session.call(Subject::Rekey, operator.cancel_rekey())?;
        return Ok(output.line("The old root key stays; the new one opens nothing any more.")?);
    }
    // Looked at before anything is asked for that would have to go there.
    let status = session.call(Subject::Rekey, operator.status())?;
    if matches!(status.key_source.as_str(), "operator" | "credential") {
        safe.prepare()?;
    }
    match session.call(Subject::Rekey, operator.rekey())? {
        Rekeyed::Done => Ok(output.text(
            "The root key was changed; the old one opens the database no more.\n\
             Make new recovery files (spike operator recover) and a new backup: older ones need the old root key.\n",
        )?),
        Rekeyed::Shards(shards) => {
            safe.save_shards(&shards).map_err(|unsaved| begin_again(&unsaved))?;
            Ok(output.text(&format!(
                "Saved {} shards of the new root key to {}\n\
                 The old root key stays until enough of these are handed in. Bring each to a different safe place,\n\
                 read them again from there, and confirm:\n\n  \
                 spike operator rekey --confirm\n",
                shards.len(),
                safe.path().display()
            ))?)
        }
        Rekeyed::Key(key) => put_key(&safe, &key, output),
    }
}

fn put_key(safe: &Safe, key: &Shard, output: &mut Output) -> Result<(), Failure> {
    let file = safe.save_key(key).map_err(|unsaved| begin_again(&unsaved))?;
    Ok(output.text(&format!(
        "Saved the new root key to {}\n\
         The old root key stays until SPIKE Nexus has started with the new one: make it the credential that the unit\n\
         loads, restart the unit, and delete the file.\n",
        file.display()
    ))?)
}

fn confirm(args: &Rekey, output: &mut Output) -> Result<(), Failure> {
    let shards = shards::read(&args.files, output)?;
    let session = Session::open()?;
    let operator = session.client().operator();
    let mut last = None;
    for numbered in &shards {
        let answer = session.call(Subject::Rekey, operator.confirm_rekey(numbered.id, &numbered.shard))?;
        let confirmed = answer.confirmed;
        last = Some(answer);
        if confirmed {
            break;
        }
    }
    match last {
        None => Err(Failure::data("there is no shard to hand in")),
        Some(answer) if answer.confirmed => Ok(output.text(
            "The new root key is in force; shards of the old one open the database no more.\n\
             Make a new backup: older ones need the old root key.\n",
        )?),
        Some(answer) => Ok(output.text(&format!(
            "Shards collected: {}\nShards remaining: {}\nRun `spike operator rekey --confirm` again with the remaining shards.\n",
            answer.collected, answer.remaining
        ))?),
    }
}

fn begin_again(unsaved: &Unsaved) -> Failure {
    Failure::System(format!(
        "{unsaved}; the old root key stays: run `spike operator rekey --cancel`, then begin again"
    ))
}
