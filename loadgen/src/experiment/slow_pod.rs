//! Q8.3: one pod becomes slow while requests come in, and fast again.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Doing, Experiment, ExperimentError, Lab};
use crate::cluster::act::slow::{Cpu, Delay, Told, cpu_of, lowered, milli, port_of};
use crate::cluster::act::{ActError, Which};
use crate::cluster::preflight::Permission;
use crate::cluster::restore::Change;
use crate::cluster::{Target, throttling};

/// For the kubelet to change a limit, twice.
const CHANGES: Duration = Duration::from_secs(130);

/// How a pod is slowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the server's switch where it has one, else by its CPU limit.
    Auto,
    /// By the server's own switch.
    Delay,
    /// By its CPU limit, in place.
    Cpu,
}

/// Slows a pod.
#[derive(Debug)]
pub struct SlowPod {
    /// Of this Deployment.
    pub deployment: String,
    /// Which of them.
    pub which: Which,
    /// How.
    pub by: By,
    /// With the switch: this wait.
    pub delay: Delay,
    /// With the limit: this many thousandths of a core.
    pub cpu_milli: u64,
    /// Load before.
    pub before: Duration,
    /// Load while it is slow.
    pub during: Duration,
    /// Load afterwards.
    pub after: Duration,
    /// Found before the first request.
    pub found: OnceLock<Slow>,
}

/// The pod, how it was, and how it will be.
#[derive(Clone, Debug)]
pub struct Slow {
    name: String,
    uid: String,
    node: Option<String>,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Delay { port: u16, before: Delay },
    Cpu { before: Cpu, lowered: Cpu },
}

impl Experiment for SlowPod {
    fn name(&self) -> &'static str {
        "slow-pod"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let by = match self.by {
            By::Auto => "auto",
            By::Delay => "delay",
            By::Cpu => "cpu",
        };
        BTreeMap::from([
            ("deployment".to_owned(), self.deployment.clone()),
            ("pod".to_owned(), self.which.to_string()),
            ("by".to_owned(), by.to_owned()),
            ("delay_ms".to_owned(), self.delay.delay_ms.to_string()),
            ("jitter_ms".to_owned(), self.delay.jitter_ms.to_string()),
            ("cpu_millicores".to_owned(), self.cpu_milli.to_string()),
            ("before_s".to_owned(), self.before.as_secs_f64().to_string()),
            ("during_s".to_owned(), self.during.as_secs_f64().to_string()),
            ("after_s".to_owned(), self.after.as_secs_f64().to_string()),
        ])
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        let namespace = Some(target.namespace.as_str());
        match self.by {
            By::Cpu => vec![Permission::new("patch", "", "pods", "resize", namespace)],
            // Without the permission to ask, `auto` takes the limit.
            By::Auto => Vec::new(),
            By::Delay => ["get", "create"].map(|verb| Permission::new(verb, "", "pods", "proxy", namespace)).into(),
        }
    }

    fn at_most(&self) -> Option<Duration> {
        Some(self.before + self.during + self.after + CHANGES)
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            let pods = lab.actor.pods_of(&self.deployment).await?;
            if pods.len() < 2 {
                return Err(ActError::Unfit {
                    what: format!(
                        "deployment/{} has {} pod(s): there is none to compare a slow one with",
                        self.deployment,
                        pods.len()
                    ),
                    fix: format!(
                        "`kubectl scale -n {} deployment/{} --replicas=3`",
                        lab.target.namespace, self.deployment
                    ),
                }
                .into());
            }
            let pod = lab.actor.choose(&self.deployment, &self.which).await?;
            let way = match self.by {
                By::Delay => self.by_delay(lab, &pod).await?,
                By::Cpu => self.by_cpu(lab, &pod).await?,
                By::Auto => match self.by_delay(lab, &pod).await {
                    Ok(way) => way,
                    Err(_) => self.by_cpu(lab, &pod).await?,
                },
            };
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            let _ = self.found.set(Slow { name: pod.name_any(), uid: pod.uid().unwrap_or_default(), node, way });
            Ok(())
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            let Some(slow) = self.found.get() else { return Ok(()) };
            tokio::time::sleep(self.before).await;
            read_throttling(lab, slow).await;
            let change = slow.change();
            lab.record(&change).await?;
            let how = self.make_slow(lab, slow).await?;
            lab.narrator.step(&format!("pod/{} is slow now: {how}", slow.name));
            tokio::time::sleep(self.during).await;
            read_throttling(lab, slow).await;
            lab.narrator.step(&lab.undo_slow(&change).await?);
            tokio::time::sleep(self.after).await;
            Ok(())
        })
    }
}

impl SlowPod {
    async fn by_delay(&self, lab: &Lab, pod: &Pod) -> Result<Way, ActError> {
        let name = pod.name_any();
        let port = port_of(pod).ok_or_else(|| ActError::Unfit {
            what: format!("pod/{name} names no port of its server"),
            fix: "use --by cpu".to_owned(),
        })?;
        match lab.actor.delay(&name, port).await {
            Some(before) => Ok(Way::Delay { port, before }),
            None => Err(ActError::Unfit {
                what: format!("the server of pod/{name} has no switch for a delay (GET /_admin), or may not be asked"),
                fix: "use --by cpu, which needs nothing in the image; or an overlay with local images (k8s/lab/README.md)".to_owned(),
            }),
        }
    }

    async fn by_cpu(&self, lab: &Lab, pod: &Pod) -> Result<Way, ActError> {
        let name = pod.name_any();
        let unfit = |what: String, fix: &str| Err(ActError::Unfit { what, fix: fix.to_owned() });
        if !lab.actor.can_resize().await {
            return unfit(
                "this cluster cannot change pods in place".to_owned(),
                "use Kubernetes 1.33 or later, or --by delay",
            );
        }
        let Some(before) = cpu_of(pod) else {
            return unfit(
                format!("pod/{name} has no CPU limit, and one that is set in place cannot be taken away again"),
                "give the container a CPU limit, or use --by delay",
            );
        };
        if milli(&before.limit).is_some_and(|limit| limit <= self.cpu_milli) {
            return unfit(
                format!("the CPU limit of pod/{name} is {} already", before.limit),
                "choose a lower one with --cpu",
            );
        }
        let lowered = lowered(&before, self.cpu_milli);
        Ok(Way::Cpu { before, lowered })
    }

    async fn make_slow(&self, lab: &Lab, slow: &Slow) -> Result<String, ExperimentError> {
        match &slow.way {
            Way::Delay { port, .. } => {
                let how = format!(
                    "its server waits {} ± {} ms before each answer",
                    self.delay.delay_ms, self.delay.jitter_ms
                );
                let told = Told { name: "slow_pod_delay", detail: &how };
                lab.actor.set_delay(&slow.name, &slow.uid, *port, self.delay, told).await?;
                Ok(how)
            }
            Way::Cpu { before, lowered } => {
                let how = format!("its CPU limit is {} instead of {}", lowered.limit, before.limit);
                let told = Told { name: "slow_pod_cpu", detail: &how };
                lab.actor.set_cpu(&slow.name, &slow.uid, lowered, told).await?;
                Ok(how)
            }
        }
    }
}

impl Slow {
    /// What must be put back.
    fn change(&self) -> Change {
        let (pod, uid) = (self.name.clone(), self.uid.clone());
        match &self.way {
            Way::Delay { port, before } => {
                Change::PodDelay { pod, uid, port: *port, delay_ms: before.delay_ms, jitter_ms: before.jitter_ms }
            }
            Way::Cpu { before, .. } => Change::PodCpu {
                pod,
                uid,
                container: before.container.clone(),
                limit: before.limit.clone(),
                request: before.request.clone(),
            },
        }
    }
}

/// Throttling at the edges of a phase. Whether it may be read was told before the load.
async fn read_throttling(lab: &Lab, slow: &Slow) {
    let nodes: Vec<String> = slow.node.iter().cloned().collect();
    let _ = throttling::read(&lab.actor.client, &nodes, &lab.actor.namespace, &lab.actor.timeline).await;
}
