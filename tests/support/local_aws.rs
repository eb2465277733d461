//! A local AWS of a test's own: real binaries, real wire, nobody else's faults.

use crate::repository::{path, root, target_dir};
use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

pub const OWNER: &str = "111111111111";
pub const REGION: &str = "us-east-1";
pub const RECEIVERS: [&str; 2] = ["222222222222", "333333333333"];

/// One call that the local AWS has seen.
#[derive(Clone, Debug)]
pub struct Call {
    pub account: String,
    pub region: String,
    pub service: String,
    pub action: String,
    pub error: Option<String>,
    /// The Lambda function that made it, if one did.
    pub function: Option<String>,
    /// The state of an execution that it was made for, if any.
    pub state: Option<String>,
    /// AWS seconds since the epoch.
    pub time: f64,
}

impl Call {
    /// Whether it has changed something in EC2 or KMS. A dry run has not: it ends in an error. What `start` tells on the
    /// instance, when a run has ended, is no part of that run.
    pub fn mutates(&self) -> bool {
        if self.function.as_deref() == Some("ami-bakery-start") {
            return false;
        }
        let reads = ["Describe", "List", "Get", "Head"].iter().any(|verb| self.action.starts_with(verb));
        matches!(self.service.as_str(), "ec2" | "kms") && !reads && self.error.is_none()
    }
}

/// Ended when it is dropped.
pub struct LocalAws {
    life: Life,
    /// Reads what it says to its end.
    reader: Option<JoinHandle<()>>,
    endpoint: String,
    /// Where the stacks are.
    pub region: String,
    logs: PathBuf,
}

/// What a local AWS ends with.
enum Life {
    /// A copy of the one that `make test` has made: it ends when the connection does.
    Copy(UnixStream),
    Process(Child),
}

/// The variable with the name of the socket on which copies are asked for: `infra/local/local_aws/warm.py`.
const WARM: &str = "LOCAL_AWS_WARM";

/// How AWS time passes for tests: on to what comes next while a bake waits, and an hour in a second else.
const TIME: [(&str, &str); 2] = [("LOCAL_AWS_SPEED", "3600"), ("LOCAL_AWS_SKIP_WAITS", "1")];

/// Different for each local AWS of a process.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl LocalAws {
    /// Starts one on a free port and waits until the stack is deployed.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with these variables in its environment: see `infra/local/README.md`. It is a copy of the one that
    /// `make test` has made, if there is one.
    ///
    /// # Panics
    /// When it does not start: in a copy's folder is its log.
    pub fn start_with(variables: &[(&str, &str)]) -> Self {
        let variables = [&TIME[..], variables].concat();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let logs = target_dir().join(format!("local-aws/tests/{}-{number}", std::process::id()));
        // Of an earlier process of this number, if there was one.
        let _ = std::fs::remove_dir_all(&logs);
        let (life, lines): (_, Box<dyn BufRead + Send>) = match std::env::var(WARM) {
            Ok(name) if variables.iter().all(|(name, _)| can_be_told(name)) => copied(&name, &logs, &variables),
            _ => started(&logs, &variables),
        };
        let mut lines = lines.lines();
        let ready = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let at = line.find("http://").filter(|_| line.contains("ready"))?;
            line[at..].split_whitespace().next().map(str::to_owned)
        });
        // Read on, so that it never blocks on a full pipe.
        let reader = Some(std::thread::spawn(move || lines.for_each(drop)));
        let log = || std::fs::read_to_string(logs.join("local-aws.log")).unwrap_or_default();
        let endpoint = ready.unwrap_or_else(|| panic!("the local AWS has not started: {}", log()));
        let region =
            variables.iter().find(|(name, _)| *name == "LOCAL_AWS_REGION").map_or(REGION, |(_, region)| region);
        Self { life, reader, endpoint, region: region.to_owned(), logs }
    }

    /// What a function has logged so far: nothing if it has not run. The line at the end of an invocation is there when
    /// its answer is.
    pub fn log(&self, function: &str) -> String {
        let file = self.logs.join(format!("ami-bakery-{function}.log"));
        if file.exists() { std::fs::read_to_string(file).expect("a text") } else { String::new() }
    }

    /// What all functions have logged so far, by their names.
    pub fn all_logs(&self) -> BTreeMap<String, String> {
        let files =
            std::fs::read_dir(&self.logs).expect("the folder of this local AWS").map(|file| file.expect("a file"));
        let names = files.filter_map(|file| {
            let name = file.file_name().into_string().expect("a text");
            Some(name.strip_prefix("ami-bakery-")?.strip_suffix(".log")?.to_owned())
        });
        names.map(|name| (name.clone(), self.log(&name))).collect()
    }

    /// What the functions that run now have as credentials.
    pub fn secrets(&self) -> BTreeSet<String> {
        let endpoint = format!("AWS_ENDPOINT_URL={}", self.endpoint);
        let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
        let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
        let texts = environments.map(|environment| String::from_utf8_lossy(&environment).into_owned());
        let ours = texts.filter(|text| text.split('\0').any(|variable| variable == endpoint));
        let secret = |variable: &str| {
            let (name, value) = variable.split_once('=')?;
            let is_one = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name);
            is_one.then(|| value.to_owned())
        };
        ours.flat_map(|text| text.split('\0').filter_map(secret).collect::<Vec<_>>()).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}/local-aws/{path}", self.endpoint)
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        let mut answer = ureq::get(self.url("calls")).call().expect("the local AWS answers");
        let calls: Vec<Value> = answer.body_mut().with_config().limit(1 << 30).read_json().expect("calls are JSON");
        let text = |call: &Value, name: &str| call[name].as_str().map(str::to_owned);
        let read = |call: Value| Call {
            account: text(&call, "account").unwrap_or_default(),
            region: text(&call, "region").unwrap_or_default(),
            service: text(&call, "service").unwrap_or_default(),
            action: text(&call, "action").unwrap_or_default(),
            error: text(&call, "error"),
            function: text(&call, "function"),
            state: text(&call, "state"),
            time: call["time"].as_f64().unwrap_or_default(),
        };
        calls.into_iter().map(read).collect()
    }

    pub fn forget_calls(&self) {
        ureq::delete(self.url("calls")).call().expect("the local AWS answers");
    }

    /// Replaces the faults.
    pub fn inject(&self, faults: &[Value]) {
        ureq::put(self.url("faults")).send_json(json!(faults)).expect("the faults are understood");
    }

    /// The faults, and in `struck` how often each has struck.
    pub fn faults(&self) -> Vec<Value> {
        let mut answer = ureq::get(self.url("faults")).call().expect("the local AWS answers");
        answer.body_mut().read_json().expect("faults are JSON")
    }

    /// Updates the owner's stack to the programs in this folder.
    pub fn update_stack(&self, functions: &Path) {
        ureq::put(self.url("stack")).send_json(json!({"functions": functions})).expect("the stack is updated");
    }

    /// Waits until an execution has ended.
    pub fn wait_for_the_end_of(&self, execution: &str) {
        let mut has_ended = false;
        while !has_ended {
            let mut answer = ureq::get(self.url(&format!("ended/{execution}"))).call().expect("the execution is there");
            let told: Value = answer.body_mut().read_json().expect("it is JSON");
            has_ended = told["ended"] == true;
        }
    }

    /// Updates the owner's stack to these values of some of its parameters, and to nothing else.
    pub fn update_parameters(&self, parameters: &Value) {
        ureq::put(self.url("stack")).send_json(json!({"parameters": parameters})).expect("the stack is updated");
    }

    /// AWS seconds since the epoch.
    pub fn now(&self) -> f64 {
        let mut answer = ureq::get(self.url("clock")).call().expect("the local AWS answers");
        let clock: Value = answer.body_mut().read_json().expect("the clock is JSON");
        clock["now"].as_f64().expect("the time")
    }

    /// From now on AWS time passes so many times as fast as ours while everything waits.
    pub fn pass(&self, speed: u32) {
        ureq::put(self.url("clock")).send_json(json!({"speed": speed})).expect("the speed is understood");
    }

    /// Sets what is uncertain about AWS, or goes wrong in it: `infra/local/local_aws/rules/controls.py`.
    pub fn control(&self, name: &str, value: &Value) {
        let url = format!("{}/moto-api/rules/{name}", self.endpoint);
        ureq::put(url).send_json(value).expect("the control is understood");
    }

    fn config(&self, region: &str, credentials: Credentials) -> Config {
        Config { endpoint: self.endpoint.clone(), region: region.to_owned(), credentials }
    }

    /// The owner's account.
    pub fn owner(&self) -> Config {
        self.config(&self.region, Credentials::new("owner", "secret", None, None, "test"))
    }

    /// An account, entered from outside.
    pub async fn account(&self, account: &str, region: &str) -> Config {
        if account == OWNER {
            return Config { region: region.to_owned(), ..self.owner() };
        }
        self.entered_as(&format!("arn:{}:iam::{account}:role/Anyone", self.partition()), region).await
    }

    /// What ARNs begin with, after `arn:`.
    pub fn partition(&self) -> &'static str {
        bakery::ids::Region::try_from(self.region.as_str()).expect("a Region").partition()
    }

    /// A role of another account. One that IAM does not know there may do everything.
    pub async fn entered_as(&self, role: &str, region: &str) -> Config {
        let answer = self
            .owner()
            .sts()
            .assume_role()
            .role_arn(role)
            .role_session_name("test")
            // The longest: an hour may be over in a second here.
            .duration_seconds(if role.ends_with("/Anyone") { 43_200 } else { 3600 })
            .send()
            .await
            .expect("every account can be entered by tests");
        let given = answer.credentials().expect("credentials");
        let token = given.session_token().to_owned();
        self.config(
            region,
            Credentials::new(given.access_key_id(), given.secret_access_key(), Some(token), None, "test"),
        )
    }
}

impl Drop for LocalAws {
    /// Waits until the processes that it started have ended, too.
    fn drop(&mut self) {
        match &mut self.life {
            Life::Copy(connection) => drop(connection.shutdown(Shutdown::Write)),
            Life::Process(process) => {
                let _ = Command::new("kill").arg(process.id().to_string()).status();
                let _ = process.wait();
            }
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Whether a copy can be told this. In another Region, or with other parameters, it is another stack.
fn can_be_told(name: &str) -> bool {
    TIME.iter().any(|(one, _)| *one == name) || name.starts_with("LOCAL_AWS_SWITCH_")
}

/// Asks for a copy, and what it says.
fn copied(name: &str, logs: &Path, variables: &[(&str, &str)]) -> (Life, Box<dyn BufRead + Send>) {
    let address = SocketAddr::from_abstract_name(name).expect("a name");
    let mut connection = UnixStream::connect_addr(&address).expect("the local AWS to be copied is there");
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    writeln!(connection, "{}", json!({"dir": logs, "environment": variables})).expect("it is asked for");
    let lines = BufReader::new(connection.try_clone().expect("one more handle"));
    (Life::Copy(connection), Box::new(lines))
}

/// Starts one, and what it says.
fn started(logs: &Path, variables: &[(&str, &str)]) -> (Life, Box<dyn BufRead + Send>) {
    let target = target_dir();
    let mut process = Command::new(target.join("local-aws/venv/bin/python"))
        .args(["-m", "local_aws", "serve", "--functions"])
        .arg(target.join("debug"))
        .arg("--dir")
        .arg(logs)
        .current_dir(root())
        .env("PYTHONPATH", path("infra/local"))
        .env("LOCAL_AWS_PORT", "0")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the local AWS is set up by `make setup`");
    let lines = BufReader::new(process.stdout.take().expect("its output is piped"));
    (Life::Process(process), Box::new(lines))
}

/// What a client needs to know.
#[derive(Clone)]
pub struct Config {
    endpoint: String,
    region: String,
    credentials: Credentials,
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub fn $name(&self) -> $sdk::Client {
            let config = $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .endpoint_url(&self.endpoint)
                .region(Region::new(self.region.clone()))
                .credentials_provider(self.credentials.clone())
                .build();
            $sdk::Client::from_conf(config)
        }
    };
}

impl Config {
    client!(ec2, aws_sdk_ec2);
    client!(kms, aws_sdk_kms);
    client!(sfn, aws_sdk_sfn);
    client!(ssm, aws_sdk_ssm);
    client!(sts, aws_sdk_sts);

    /// A call of IAM.
    pub fn iam(&self, query: &str) -> String {
        self.query("iam", "2010-05-08", query)
    }

    /// A call of a service of which no client is needed otherwise. (The local AWS does not check signatures.)
    pub fn query(&self, service: &str, version: &str, query: &str) -> String {
        let scope = format!("{}/20260101/us-east-1/{service}/aws4_request", self.credentials.access_key_id());
        let mut ask = ureq::post(&self.endpoint)
            .header("Authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"))
            .header("Content-Type", "application/x-www-form-urlencoded");
        if let Some(token) = self.credentials.session_token() {
            ask = ask.header("X-Amz-Security-Token", token);
        }
        let mut answer = ask.send(format!("{query}&Version={version}")).expect("it answers");
        answer.body_mut().read_to_string().expect("a text")
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }
}
