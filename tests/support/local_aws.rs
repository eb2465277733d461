//! A local AWS of a test's own: real binaries, real wire, nobody else's faults.

use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
    process: Child,
    endpoint: String,
    logs: PathBuf,
}

impl LocalAws {
    /// Starts one on a free port and waits until the stack is deployed.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with these variables in its environment: see `infra/local/README.md`.
    pub fn start_with(variables: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the workspace");
        let target = target_dir(root, std::env::var_os("CARGO_TARGET_DIR"));
        let logs = target.join(format!("local-aws/tests/{}", std::process::id()));
        // Of an earlier process of this number, if there was one.
        let _ = std::fs::remove_dir_all(&logs);
        let mut process = Command::new(target.join("local-aws/venv/bin/python"))
            .args(["-m", "local_aws", "serve", "--functions"])
            .arg(target.join("debug"))
            .arg("--dir")
            .arg(&logs)
            .current_dir(root)
            .env("PYTHONPATH", root.join("infra/local"))
            .env("LOCAL_AWS_PORT", "0")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the local AWS is set up by `make setup`");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        let ready = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let at = line.find("http://").filter(|_| line.contains("ready"))?;
            line[at..].split_whitespace().next().map(str::to_owned)
        });
        // Read on, so that it never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, endpoint: ready.expect("the local AWS says when it is ready"), logs }
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
        self.config(REGION, Credentials::new("owner", "secret", None, None, "test"))
    }

    /// An account, entered from outside.
    pub async fn account(&self, account: &str, region: &str) -> Config {
        if account == OWNER {
            return Config { region: region.to_owned(), ..self.owner() };
        }
        self.entered_as(&format!("arn:aws:iam::{account}:role/Anyone"), region).await
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
    fn drop(&mut self) {
        // SIGTERM, so that it ends the processes that it started.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// Where cargo builds to. The Makefile names it as seen from the workspace, and tests run in the folder of their package.
fn target_dir(root: &Path, named: Option<OsString>) -> PathBuf {
    root.join(named.unwrap_or_else(|| "target".into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_target_directory_is_the_workspace_s() {
        let of = |named: Option<&str>| target_dir(Path::new("/work"), named.map(Into::into));
        assert_eq!(of(None), Path::new("/work/target"));
        assert_eq!(of(Some("target")), Path::new("/work/target"));
        assert_eq!(of(Some("/elsewhere")), Path::new("/elsewhere"));
    }
}
