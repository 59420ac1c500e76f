//! The cluster, the load generator, and what every injector needs of them.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use podwitness_cluster::Cluster;
use serde_json::Value;

use super::{
    injectors::slow::SLOW_US,
    judge::Request,
    node::{Network, PodProcess, at},
};
use crate::{
    lab::{Lab, NAMESPACE},
    ndjson,
    run::run,
};

/// The bench's own form of the lab.
pub const OVERLAY: &str = "overlays/truth";
/// Port of the serving pods, and of the Service in front of them.
pub const POD_PORT: u16 = 5000;
/// Port of the gateway's pods.
pub const GATEWAY_PORT: u16 = 80;

/// What an injector asks the load generator for.
#[derive(Clone, Debug)]
pub struct Load {
    /// Path at the gateway.
    pub path: &'static str,
    /// Requests per second; where there is a pause, of both parts.
    pub rate: u32,
    /// Length.
    pub seconds: u64,
    /// Arguments beside these.
    pub extra: Vec<String>,
}

impl Load {
    /// With nothing special.
    pub fn new(path: &'static str, rate: u32, seconds: u64) -> Self {
        Self { path, rate, seconds, extra: Vec::new() }
    }

    /// One more argument.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.extra.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    fn arguments(&self) -> Vec<String> {
        let mut all = vec!["steady".to_owned(), format!("--path={}", self.path)];
        if !self.extra.iter().any(|argument| argument.starts_with("--steps")) {
            all.push(format!("--rate={}", self.rate));
            all.push(format!("--duration={}s", self.seconds));
        }
        all.extend(self.extra.iter().cloned());
        all
    }
}

/// One pod of the lab.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Address.
    pub ip: IpAddr,
}

/// Seconds in which so many requests are sent at this rate.
pub fn seconds_for(cases: u64, rate: u32) -> u64 {
    cases.div_ceil(u64::from(rate))
}

/// The cluster and the load generator.
pub struct Bench<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The load generator's program.
    pub loadgen: PathBuf,
    /// Where the runs go.
    pub out: PathBuf,
    /// Cases that each cause should have.
    pub cases: u64,
    /// Processes beside it that take all the CPU they get.
    pub busy: u32,
}

impl Bench<'_> {
    /// The lab as every injector finds it.
    pub fn reset(&self) -> Result<()> {
        Lab::new(self.cluster).deploy(OVERLAY)
    }

    /// The node's network namespace.
    pub fn node(&self) -> Result<Network> {
        Network::open(&Path::new("/run/netns").join(self.cluster.node().name()))
    }

    /// Pid of one of the node's daemons.
    pub fn daemon(&self, name: &str) -> Result<i32> {
        let status = Cluster::status(self.cluster.root())?;
        let found = status.daemons.iter().find(|daemon| daemon.alive && daemon.name.contains(name));
        found.map(|daemon| daemon.pid).with_context(|| format!("no daemon {name} runs"))
    }

    /// kubectl in the lab's namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        Ok(self.cluster.kubectl(&[&["--namespace", NAMESPACE], arguments].concat())?)
    }

    /// Scales a Deployment and waits until no other pod is left.
    pub fn scale(&self, deployment: &str, replicas: usize) -> Result<()> {
        let to = format!("--replicas={replicas}");
        self.kubectl(&["scale", &format!("deployment/{deployment}"), &to])?;
        self.cluster.wait_rollout(NAMESPACE, deployment, Duration::from_secs(60))?;
        let end = Instant::now() + Duration::from_secs(60);
        while self.all_pods(deployment)? != replicas {
            ensure!(Instant::now() < end, "{deployment} does not come to {replicas} pods");
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn all_pods(&self, app: &str) -> Result<usize> {
        Ok(self.kubectl(&["get", "pods", "-l", &format!("app={app}"), "-o", "name"])?.lines().count())
    }

    /// The pods of an app that are there and not on their way out.
    pub fn pods(&self, app: &str) -> Result<Vec<Pod>> {
        let list: Value =
            serde_json::from_str(&self.kubectl(&["get", "pods", "-l", &format!("app={app}"), "-o", "json"])?)?;
        let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        let living = items.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let pods = living.filter_map(|pod| {
            Some(Pod {
                name: pod["metadata"]["name"].as_str()?.to_owned(),
                uid: pod["metadata"]["uid"].as_str()?.to_owned(),
                ip: pod["status"]["podIP"].as_str()?.parse().ok()?,
            })
        });
        Ok(pods.collect())
    }

    /// The only pod of an app.
    pub fn only_pod(&self, app: &str) -> Result<Pod> {
        let mut pods = self.pods(app)?;
        ensure!(pods.len() == 1, "{} pods of {app}, not one", pods.len());
        pods.pop().context("no pod")
    }

    /// The gateway's network namespace and its pod.
    pub fn gateway(&self) -> Result<(Pod, Network)> {
        let pod = self.only_pod("api-gateway")?;
        let network = PodProcess::find(&pod.uid, "nginx")?.network()?;
        Ok((pod, network))
    }

    /// The Service in front of the serving pods.
    pub fn service(&self) -> Result<std::net::SocketAddr> {
        let ip = self.kubectl(&["get", "service", "ml-inference-service", "-o=jsonpath={.spec.clusterIP}"])?;
        Ok(at(ip.trim().parse().context("the Service has no address")?, POD_PORT))
    }

    /// Starts the load generator and comes back when it is about to send.
    pub fn start(&self, name: &str, load: &Load) -> Result<Run> {
        let folder = self.out.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        let mut command = self.cluster.client_command(&self.loadgen);
        command.args(load.arguments()).arg("--out").arg(&folder);
        let log = self.out.join(format!("{name}.log"));
        let file = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let mut run = Run { child: command.spawn().context("cannot start the load generator")?, folder, log };
        // It writes run.json last before the first request.
        let begun = run.folder.join("raw/run.json");
        let end = Instant::now() + Duration::from_secs(40);
        while !begun.exists() {
            if run.child.try_wait()?.is_some() || Instant::now() > end {
                bail!("the load generator did not begin:\n{}", run.said());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(run)
    }
}

/// A running load generator; killed when dropped before its end.
pub struct Run {
    child: Child,
    folder: PathBuf,
    log: PathBuf,
}

impl Run {
    /// What it has printed.
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Result<Finished> {
        self.wait()?;
        Finished::read(&self.folder)
    }

    /// The same, and every good answer that came late has the reason that the report gives.
    pub fn finish_explained(mut self, loadgen: &Path) -> Result<Finished> {
        self.wait()?;
        let mut report = Command::new(loadgen);
        report.arg("report").arg(&self.folder).arg(format!("--slowest={}", u32::MAX)).stdout(Stdio::null());
        run(&mut report)?;
        let mut finished = Finished::read(&self.folder)?;
        finished.take_slow();
        Ok(finished)
    }

    fn wait(&mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "the load generator ended with {status}:\n{}", self.said());
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Asked to end, it calls off what it had announced.
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
            sleep(Duration::from_millis(500));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run's files, as a stranger reads them.
pub struct Finished {
    /// `report.json`.
    pub report: Value,
    /// The requests of `client.ndjson.gz`, each with the report's cause.
    pub requests: Vec<Request>,
}

impl Finished {
    fn read(folder: &Path) -> Result<Self> {
        let text = fs::read_to_string(folder.join("report.json")).context("no report.json")?;
        let report: Value = serde_json::from_str(&text)?;
        let failures = report["failures"].as_array().map_or(&[][..], Vec::as_slice);
        let mut causes = std::collections::HashMap::new();
        for failure in failures {
            let (Some(trace), Some(cause)) = (failure["trace_id"].as_str(), failure["cause"].as_str()) else {
                continue;
            };
            let twice = causes.insert(trace, cause);
            ensure!(twice.is_none(), "the report has request {trace} twice");
        }
        let mut requests = Vec::new();
        for line in ndjson::values(&folder.join("raw/client.ndjson.gz"))? {
            let trace_id = line["trace_id"].as_str().context("a request has no trace id")?;
            let good = line["status"].as_u64().is_some_and(|status| (200..400).contains(&status));
            requests.push(Request {
                seq: line["seq"].as_u64().context("a request has no number")?,
                trace_id: trace_id.to_owned(),
                sent_ns: line["sent_ns"].as_u64().context("a request has no time")?,
                succeeded: good && line["error"].is_null(),
                reported: causes.remove(trace_id).map(str::to_owned),
            });
        }
        ensure!(causes.is_empty(), "the report has {} failures of requests that were not sent", causes.len());
        Ok(Self { report, requests })
    }

    fn take_slow(&mut self) {
        let slow = self.report["slow"].as_array().map_or(&[][..], Vec::as_slice);
        let slow = slow.iter().filter(|slow| slow["latency_us"].as_u64().is_some_and(|us| us >= SLOW_US));
        let causes: std::collections::HashMap<u64, &str> =
            slow.filter_map(|slow| Some((slow["seq"].as_u64()?, slow["cause"].as_str()?))).collect();
        for request in self.requests.iter_mut().filter(|request| request.succeeded) {
            request.reported = causes.get(&request.seq).map(|&cause| cause.to_owned());
        }
    }

    /// Kernel events that the observer lost and counted. `None`: not measured.
    pub fn events_lost(&self) -> Option<u64> {
        self.report.pointer("/completeness/events_dropped").and_then(Value::as_u64)
    }

    /// What must hold of every run, whatever was done to it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut zero = |path: &str| match self.report.pointer(path).and_then(Value::as_u64) {
            Some(0) => {}
            other => problems.push(format!("{path} is {}", other.map_or("not measured".into(), |n| n.to_string()))),
        };
        zero("/ledger/unaccounted");
        zero("/completeness/join_conflicts");
        let agreement = &self.report["completeness"]["pod_agreement"];
        if agreement["compared"] != agreement["agreed"] {
            problems.push(format!("pods: {agreement}"));
        }
        problems
    }
}
