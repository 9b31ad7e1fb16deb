//! `spike watch`: the policies as they change.
use spike_policy::Generation;
use spike_sdk::Position;
use spike_wire::feed::Line;

use super::session::Session;
use crate::args::FormatFlag;
use crate::failure::{Failure, Subject};
use crate::output::Output;

/// Prints what there is, then each change, until it is stopped or Nexus cannot be followed any more.
pub(super) fn run(args: &FormatFlag, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.parse()?;
    let session = Session::open()?;
    let mut position: Option<Position> = None;
    loop {
        let policies = session.client().policies();
        let mut watch = session.call(Subject::Policies, policies.watch(position.as_ref()))?;
        // Nexus ends a feed now and then, for instance with the SVID: it is taken up where it ended.
        while let Some(line) = session.wait(async { watch.next().await.transpose() }).map_err(failed)? {
            output.feed_line(&line, format)?;
            output.flush()?;
            position = advanced(position, &line);
        }
    }
}

fn failed(error: spike_sdk::Error) -> Failure {
    Failure::Call(error, Subject::Policies)
}

fn advanced(position: Option<Position>, line: &Line) -> Option<Position> {
    let generation: Generation = line.generation();
    match line {
        Line::Snapshot(snapshot) => Some(Position {
            store: snapshot.store.clone(),
            generation,
        }),
        Line::Delta(_) | Line::Heartbeat(_) => position.map(|position| Position { generation, ..position }),
    }
}
