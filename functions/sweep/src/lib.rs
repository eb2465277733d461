//! Takes back what runs that died have left: copies that are under way, grants, permissions, hops. A run that is aborted
//! or times out has no state left that could do it. What a run gave to stay is left alone, and so is anything that is
//! not AMI Bakery's, or another stack's.

mod audit;
mod copies;
mod grants;
mod runs;
mod sharing;

pub use audit::Audit;
use bakery::grants::Grants;
use bakery::ids::{KeyArn, Region};
use bakery::plan::{Bake, PlannedRegion, Run};
use bakery::settings::setting;
use bakery::store::{Store, ledger_key};
use bakery::time::Timestamp;
use bakery::{Aws, Place, StepError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<aws_sdk_ec2::Client>,
    pub sfn: aws_sdk_sfn::Client,
    pub grants: Grants,
    pub store: Store,
    pub here: Place,
    pub stack: String,
    /// What the ARN of every run begins with.
    pub execution_prefix: String,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: bakery::Clients::new(aws, aws_sdk_ec2::Client::new),
            sfn: aws_sdk_sfn::Client::new(aws.config()),
            grants: Grants::new(aws)?,
            store: Store::from_env(aws)?,
            here: aws.here().clone(),
            stack: setting("STACK")?,
            execution_prefix: setting("BAKE_EXECUTION_PREFIX")?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "Mode")]
pub enum Input {
    /// Which runs have died, as the ledger says.
    Find {},
    /// Takes back what one of them left in one Region.
    Region(Box<Left>),
    /// Takes back every grant of a run that does not run, whatever the ledger says.
    Grants(Regions),
    /// Nothing more is to be found of these.
    Forget(Runs),
    /// Takes nothing back: tells what is open.
    Audit(Box<AuditRun>),
}

/// What a dead run may have left in one Region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Left {
    pub run: Run,
    pub bake: Bake,
    pub keep_hops: bool,
    pub region: PlannedRegion,
    /// The owner's keys there.
    pub kms_key_ids: Vec<KeyArn>,
    /// When it was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub now: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Regions {
    pub regions: Vec<Region>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Runs {
    pub runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AuditRun {
    pub run: Run,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
pub enum Output {
    Found {
        runs: Vec<Run>,
        left: Vec<Left>,
        /// Deliveries may still be under way for some seconds after their run has ended.
        is_still: bool,
        /// Entries of the ledger that cannot be read: a person has to look at them.
        problems: Vec<String>,
    },
    Audit {
        grant_count: usize,
        image_count: usize,
        /// The object that holds all of it.
        report: String,
        #[serde(flatten)]
        audit: Audit,
    },
    Swept {
        /// Copies, grants and permissions that were taken back.
        taken_back: usize,
        /// What could not be.
        problems: Vec<String>,
    },
}

/// # Errors
/// AWS's, where nothing can be done without the answer. What one receiver refuses is among the problems, and keeps
/// nothing else open.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    match input {
        Input::Find {} => runs::find(clients).await,
        Input::Region(left) => {
            let mut swept = Swept::default();
            match copies::cancel(clients, &left).await {
                Ok(answers) => answers.into_iter().for_each(|answer| swept.add(answer)),
                Err(error) => swept.add(Err(error)),
            }
            swept.add(grants::close(clients, &left).await);
            swept.add(sharing::stop(clients, &left).await);
            swept.done()
        }
        Input::Grants(Regions { regions }) => {
            let mut swept = Swept::default();
            for region in &regions {
                swept.add(grants::of_dead_runs(clients, region).await);
            }
            swept.done()
        }
        Input::Audit(audit) => audit::audit(clients, &audit.run).await,
        Input::Forget(Runs { runs }) => {
            for run in &runs {
                clients.store.remove(&ledger_key(&run.name)).await?;
            }
            Swept::default().done()
        }
    }
}

/// What was done, and what went wrong on the way: one thing that fails keeps nothing else open.
#[derive(Debug, Default)]
struct Swept {
    taken_back: usize,
    problems: Vec<StepError>,
}

/// A state holds 256 KiB.
const MOST_TOLD: usize = 20;

impl Swept {
    fn add(&mut self, answer: Result<usize, StepError>) {
        match answer {
            Ok(count) => self.taken_back += count,
            Err(error) => self.problems.push(error),
        }
    }

    /// What passes by itself is tried again at once by the state machine; all that was done is repeatable.
    fn done(mut self) -> Result<Output, StepError> {
        if let Some(passing) = self.problems.iter().position(|error| error.kind.is_aws_s_own()) {
            return Err(self.problems.swap_remove(passing));
        }
        let problems = self.problems.into_iter().take(MOST_TOLD).map(|error| error.message).collect();
        Ok(Output::Swept { taken_back: self.taken_back, problems })
    }
}
