//! Copying policies.
use futures::{StreamExt, stream};
use spike_policy::{PolicyDocument, Rule, lint};
use spike_sdk::{Error, Filter};
use spike_wire::Timestamp;
use spike_wire::import::{ImportedPolicy, Mode, Outcome, PolicyImport, TimedPolicy};
use spike_wire::policies::{GetResponse, PutRequest};

use super::{Errand, Trouble, twice};
use crate::failure::Failure;
use crate::output::{Output, Remark, Report};

/// Policies in one call. They share one transaction, and a large call would be refused for its size.
const TOGETHER: usize = 100;

impl Errand<'_> {
    pub(super) async fn copy_policies(&self, report: &mut Report, output: &mut Output) -> Result<(), Failure> {
        let list = twice(|| async { self.ends.source.policies().list(&Filter::All).await }).await;
        let items = list.map_err(|error| self.ends.source_failed(error))?;
        let total = items.len();
        report.policies.listed = total;
        report.policies.not_reached = total;
        let mut reads = stream::iter(items)
            .map(|item| async move { (self.read_policy(&item.name).await, item.name) })
            .buffered(self.args.jobs);
        let mut waiting = Vec::with_capacity(TOGETHER);
        while let Some((read, name)) = reads.next().await {
            match read {
                Ok(Some(policy)) => waiting.push(policy),
                Ok(None) => {
                    report.policies.gone += 1;
                    report.policies.not_reached -= 1;
                }
                Err(Trouble::Stop(failure)) => return Err(failure),
                Err(Trouble::Failed(reason)) => {
                    report.policies.fail(&name, reason);
                    report.policies.not_reached -= 1;
                }
                Err(Trouble::Refused(reasons)) => {
                    report.policies.refuse(&name, reasons);
                    report.policies.not_reached -= 1;
                }
            }
            if waiting.len() >= TOGETHER {
                self.write_policies(std::mem::take(&mut waiting), report).await?;
                self.progress(output, (total - report.policies.not_reached, total), "policies")?;
            }
        }
        self.write_policies(waiting, report).await?;
        self.progress(output, (total, total), "policies")
    }

    /// The policy, if it is still there.
    async fn read_policy(&self, name: &str) -> Result<Option<TimedPolicy>, Trouble> {
        let policies = self.ends.source.policies();
        match twice(|| async { policies.get(name).await }).await {
            Ok(policy) => Ok(Some(timed(policy))),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(self.source_trouble(error)),
        }
    }

    async fn write_policies(&self, policies: Vec<TimedPolicy>, report: &mut Report) -> Result<(), Failure> {
        if policies.is_empty() {
            return Ok(());
        }
        report.warnings.extend(policies.iter().filter_map(warning));
        let request = PolicyImport {
            policies,
            mode: self.mode(),
        };
        let tally = &mut report.policies;
        match twice(|| async { self.ends.target.policies().import(&request).await }).await {
            Ok(imported) => {
                for ImportedPolicy { name, outcome, detail } in imported {
                    tally.not_reached = tally.not_reached.saturating_sub(1);
                    match outcome {
                        Outcome::Refused => tally.refuse(&name, detail),
                        outcome => tally.count(&name, outcome, self.args.overwrite && request.mode == Mode::Compare),
                    }
                }
            }
            Err(error) => match self.target_trouble(error) {
                Trouble::Stop(failure) => return Err(failure),
                Trouble::Failed(reason) => {
                    for timed in &request.policies {
                        tally.not_reached = tally.not_reached.saturating_sub(1);
                        tally.fail(&timed.policy.name, reason.clone());
                    }
                }
                Trouble::Refused(reasons) => {
                    for timed in &request.policies {
                        tally.not_reached = tally.not_reached.saturating_sub(1);
                        tally.refuse(&timed.policy.name, reasons.clone());
                    }
                }
            },
        }
        Ok(())
    }
}

fn timed(policy: GetResponse) -> TimedPolicy {
    let known = |time: Timestamp| Some(time).filter(|time| !time.is_zero() && time.unix_millis().is_some());
    TimedPolicy {
        created_at: known(policy.created_at),
        updated_at: known(policy.updated_at),
        policy: PutRequest {
            name: policy.name,
            spiffeid_pattern: policy.spiffeid_pattern,
            path_pattern: policy.path_pattern,
            permissions: policy.permissions.unwrap_or_default(),
        },
    }
}

/// What the policy means that its author hardly meant. It is copied all the same.
fn warning(timed: &TimedPolicy) -> Option<Remark> {
    let rule = Rule::try_from(&PolicyDocument::from(timed.policy.clone())).ok()?;
    let reasons: Vec<String> = lint(&rule).iter().map(ToString::to_string).collect();
    (!reasons.is_empty()).then(|| Remark {
        name: timed.policy.name.clone(),
        reasons,
    })
}
