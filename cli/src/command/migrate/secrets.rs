//! Copying secrets: each one whole, several at a time.
use futures::{StreamExt, stream};
use spike_wire::import::{Mode, Outcome, SecretImport};

use super::history::{History, Unread};
use super::{Errand, Trouble, twice};
use crate::failure::Failure;
use crate::output::{Deleted, Output, Report};

/// What became of one secret.
struct Copied {
    outcome: Outcome,
    history: Summary,
}

/// What the report says about a history.
struct Summary {
    with_data: usize,
    deleted: Vec<i64>,
    is_empty: bool,
    times_unknown: bool,
}

impl Errand<'_> {
    pub(super) async fn copy_secrets(&self, report: &mut Report, output: &mut Output) -> Result<(), Failure> {
        let list = twice(|| async { self.ends.source.secrets().list().await }).await;
        let paths = list.map_err(|error| self.ends.source_failed(error))?;
        let total = paths.len();
        report.secrets.listed = total;
        report.secrets.not_reached = total;
        let mut under_way = stream::iter(paths)
            .map(|path| async move { (self.copy_secret(&path).await, path) })
            .buffer_unordered(self.args.jobs);
        while let Some((copied, path)) = under_way.next().await {
            match copied {
                Ok(copied) => self.note(&path, copied, report),
                Err(Trouble::Stop(failure)) => return Err(failure),
                Err(Trouble::Failed(reason)) => report.secrets.fail(&path, reason),
                Err(Trouble::Refused(reasons)) => report.secrets.refuse(&path, reasons),
            }
            report.secrets.not_reached -= 1;
            self.progress(output, (total - report.secrets.not_reached, total), "secrets")?;
        }
        Ok(())
    }

    async fn copy_secret(&self, path: &str) -> Result<Copied, Trouble> {
        let history = History::read(self.ends.source.secrets(), path).await;
        let history = history.map_err(|unread| match unread {
            Unread::Changing => Trouble::Failed("the source: it changes while it is read".to_owned()),
            Unread::Failed(error) => self.source_trouble(error),
        })?;
        let summary = Summary {
            with_data: history
                .versions
                .iter()
                .filter(|version| version.values.is_some())
                .count(),
            deleted: history
                .versions
                .iter()
                .filter(|version| version.values.is_none())
                .map(|version| version.version)
                .collect(),
            is_empty: history.versions.is_empty(),
            times_unknown: history.times_unknown,
        };
        let import = SecretImport {
            path: path.to_owned(),
            created_time: history.created_time,
            updated_time: history.updated_time,
            max_versions: history.max_versions,
            versions: history.versions,
            mode: self.mode(),
        };
        let secrets = self.ends.target.secrets();
        match twice(|| async { secrets.import(&import).await }).await {
            Ok(outcome) => Ok(Copied {
                outcome,
                history: summary,
            }),
            Err(error) => Err(self.target_trouble(error)),
        }
    }

    fn note(&self, path: &str, copied: Copied, report: &mut Report) {
        let Copied { outcome, history } = copied;
        let replaces = self.args.overwrite && self.mode() == Mode::Compare;
        report.secrets.count(path, outcome, replaces);
        report.versions += history.with_data;
        if history.is_empty {
            report.without_versions.push(path.to_owned());
        }
        if history.times_unknown {
            report.unknown_times.push(path.to_owned());
        }
        if !history.deleted.is_empty() {
            report.deleted_versions.push(Deleted {
                path: path.to_owned(),
                versions: history.deleted,
            });
        }
    }
}
