//! The Job's pods at work: waited for, ordered to begin at one moment, followed, and their records fetched.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use k8s_openapi::api::batch::v1::Job;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Mutex;

use super::manifest::{JobPlan, manifest};
use super::merge::{lag_on_our_clock, on_its_clock, on_our_clock};
use super::pods;
use crate::cluster::connect::words;
use crate::cluster::observer::{Agent, Conversation, ObserverError, measure};
use crate::experiment::runner::Sent;
use crate::load::counters::Snapshot;
use crate::load::recorder::RecordSender;
use crate::load::{Counters, LoadPlan, Shard, Stop, monotonic_ns};
use crate::raw::{ClientRequest, ClockOffset, GooseCheck, Lag, Schedule, ShardFile};
use crate::shard::{Order, Progress, RecordsEnd, State};

/// From the order to the first due time: time enough for all shards to have made their workers.
const LEAD: Duration = Duration::from_secs(2);
/// How often a shard is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// A shard that has not answered for this long is lost.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// A load could not be sent from inside the cluster.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The Job was refused.
    #[error("cannot make job/{name}: {why}")]
    Refused {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// Its pods do not run.
    #[error("not all pods of job/{name} run after {seconds} s: {states}\n  fix: {fix}", seconds = pods::PATIENCE.as_secs())]
    NotRunning {
        /// Its name.
        name: String,
        /// What they say.
        states: String,
        /// What to do.
        fix: String,
    },
    /// A shard cannot be spoken to.
    #[error(transparent)]
    Shard(#[from] ObserverError),
}

/// A Job whose pods wait for their order.
pub struct Shards {
    plan: LoadPlan,
    schedule: Schedule,
    members: Vec<Member>,
    started: Arc<tokio::sync::watch::Sender<Option<u64>>>,
    length: Duration,
}

struct Member {
    agent: Agent,
    index: u32,
    clock: ClockOffset,
    boot_id: String,
    conversation: Mutex<Conversation>,
}

/// What became of one member.
struct Ended {
    progress: Progress,
    clock_after: Option<ClockOffset>,
    records: u64,
    lags: Vec<Lag>,
    problems: Vec<String>,
}

impl Shards {
    /// Makes the Job and waits until every pod answers. Whoever calls has written down that the Job must go again.
    pub async fn start(
        client: &Client,
        job: &JobPlan,
        plan: LoadPlan,
        schedule: Schedule,
        boot_id: &str,
    ) -> Result<Self, JobError> {
        let refused = |why: String| JobError::Refused { name: job.name.clone(), why };
        let object = manifest(job).map_err(|error| refused(error.to_string()))?;
        let jobs: Api<Job> = Api::namespaced(client.clone(), &job.namespace);
        jobs.create(&PostParams::default(), &object).await.map_err(|error| refused(words(&error)))?;
        let pods = pods::all_running(client, job).await?;
        let members = try_join_all(pods.into_iter().map(|(index, agent)| member(index, agent, boot_id))).await?;
        let length = Duration::from_secs_f64(plan.schedule.length_s());
        Ok(Self { plan, schedule, members, started: Arc::new(tokio::sync::watch::Sender::new(None)), length })
    }

    /// Tells when the first ticket is due, once that is known.
    pub fn first_due(&self) -> Arc<tokio::sync::watch::Sender<Option<u64>>> {
        Arc::clone(&self.started)
    }

    /// How long the schedule is.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Lets all shards send, and hands their records over.
    pub async fn run(self, counters: Arc<Counters>, records: RecordSender, stop: Stop) -> Result<Sent, JobError> {
        let start_ns = monotonic_ns() + LEAD.as_nanos() as u64;
        try_join_all(self.members.iter().map(|member| self.order(member, start_ns))).await?;
        self.started.send_replace(Some(start_ns));
        let latest: Vec<Mutex<Snapshot>> = self.members.iter().map(|_| Mutex::default()).collect();
        let ended = join_all(self.members.iter().zip(&latest).map(|(member, mine)| async {
            let followed = follow(member, mine, &latest, &counters, &stop).await;
            self.fetch(member, followed, &counters, &records).await
        }))
        .await;
        let mut goose = Some(GooseCheck { requests: 0, successes: 0, failures: 0 });
        let (mut sent, mut shards, mut lags) = (0, Vec::new(), Vec::new());
        for (member, ended) in self.members.iter().zip(ended) {
            sent += ended.progress.counts.sent;
            goose = goose.zip(ended.progress.goose.as_ref()).map(|(sum, one)| GooseCheck {
                requests: sum.requests + one.requests,
                successes: sum.successes + one.successes,
                failures: sum.failures + one.failures,
            });
            lags.extend(ended.lags);
            shards.push(ShardFile {
                index: member.index,
                pod: member.agent.pod.clone(),
                node: member.agent.node.clone(),
                sent: ended.progress.counts.sent,
                records: ended.records,
                records_dropped: ended.progress.records_dropped,
                clock: member.clock.clone(),
                clock_after: ended.clock_after,
                problems: ended.problems,
            });
        }
        let ended_ns = counters.last_end_ns().unwrap_or_else(monotonic_ns);
        Ok(Sent { sent, started_ns: Some(start_ns), ended_ns, goose, shards, lags: Some(lags) })
    }

    async fn order(&self, member: &Member, start_ns: u64) -> Result<(), JobError> {
        let client = self.plan.client;
        let order = Order {
            run_id: self.plan.run_id.to_string(),
            url: self.plan.url.to_string(),
            schedule: self.schedule.clone(),
            shard: Shard { index: u64::from(member.index), of: self.members.len() as u64 },
            workers: self.plan.workers,
            start_ns: on_its_clock(start_ns, &member.clock),
            connect_timeout_ms: client.connect_timeout.as_millis() as u64,
            timeout_ms: client.timeout.as_millis() as u64,
            keep_alive: client.keep_alive,
            tls: client.tls,
        };
        let _begun: Progress = member.conversation.lock().await.post("/v1/load", &order).await?;
        Ok(())
    }

    /// Hands over the records of a shard that has ended. Those of one that is lost are lost with it: its requests stay
    /// unaccounted for.
    async fn fetch(
        &self,
        member: &Member,
        (progress, lost): (Progress, Option<String>),
        counters: &Counters,
        records: &RecordSender,
    ) -> Ended {
        let mut ended = Ended { progress, clock_after: None, records: 0, lags: Vec::new(), problems: Vec::new() };
        ended.problems.extend(ended.progress.error.clone().or(lost));
        if ended.progress.state != State::Ended {
            return ended;
        }
        let mut conversation = member.conversation.lock().await;
        ended.clock_after = measure(&mut conversation, &member.boot_id).await.ok();
        let (offset_ns, _) = member.clock.over_run(ended.clock_after.as_ref());
        let (mut count, mut end, mut strange) = (0_u64, None, 0_u64);
        let fetched = conversation
            .each_line("/v1/records", async |line: &[u8]| {
                if let Ok(record) = serde_json::from_slice::<ClientRequest>(line) {
                    let record = on_our_clock(record, offset_ns, member.index, self.plan.workers);
                    counters.seen(&record);
                    records.deliver(record).await;
                    count += 1;
                } else if let Ok(last) = serde_json::from_slice::<RecordsEnd>(line) {
                    end = Some(last);
                } else {
                    strange += 1;
                }
            })
            .await;
        ended.records = count;
        ended.problems.extend(fetched.err().map(|error| error.to_string()));
        if strange > 0 || end.is_none_or(|end| end.records_before != count) {
            ended.problems.push(format!("the records of {} are not whole", member.agent.who()));
        }
        match lags_of(&mut conversation, offset_ns, member.index).await {
            Ok(Some(lags)) => ended.lags = lags,
            Ok(None) => ended.problems.push(format!("the lags of {} are not whole", member.agent.who())),
            Err(error) => ended.problems.push(format!("when {} did not run is not known: {error}", member.agent.who())),
        }
        // Its pod ends well, and with it the Job; what does not end is taken away.
        let _ = conversation.tell("/v1/end").await;
        ended
    }
}

/// When it did not run, on our clock. `None`: the answer was cut.
async fn lags_of(
    conversation: &mut Conversation,
    offset_ns: i64,
    index: u32,
) -> Result<Option<Vec<Lag>>, ObserverError> {
    let (mut lags, mut end) = (Vec::new(), None);
    let take = async |line: &[u8]| match serde_json::from_slice(line) {
        Ok(lag) => lags.push(lag_on_our_clock(lag, offset_ns, index)),
        Err(_) => end = serde_json::from_slice::<RecordsEnd>(line).ok(),
    };
    conversation.each_line("/v1/lags", take).await?;
    Ok(end.is_some_and(|end| end.records_before == lags.len() as u64).then_some(lags))
}

async fn member(index: u32, agent: Agent, boot_id: &str) -> Result<Member, JobError> {
    let until = tokio::time::Instant::now() + LOST_AFTER;
    loop {
        let opened = async {
            let mut conversation = agent.open().await?;
            let clock = measure(&mut conversation, boot_id).await?;
            Ok::<_, ObserverError>((conversation, clock))
        };
        match opened.await {
            Ok((conversation, clock)) => {
                let conversation = Mutex::new(conversation);
                return Ok(Member { agent, index, clock, boot_id: boot_id.to_owned(), conversation });
            }
            Err(error) if tokio::time::Instant::now() > until => return Err(error.into()),
            // Its process may not listen yet.
            Err(_) => tokio::time::sleep(pods::LOOK_EVERY).await,
        }
    }
}

/// Asks a shard how far it is until it has ended or is lost.
async fn follow(
    member: &Member,
    mine: &Mutex<Snapshot>,
    all: &[Mutex<Snapshot>],
    counters: &Counters,
    stop: &Stop,
) -> (Progress, Option<String>) {
    let mut last =
        Progress { state: State::Sending, counts: Snapshot::default(), records_dropped: 0, goose: None, error: None };
    let mut heard = tokio::time::Instant::now();
    let mut told = false;
    loop {
        let path = if stop.is_set() && !told { "/v1/stop" } else { "/v1/load" };
        let answer: Result<Progress, _> = {
            let mut conversation = member.conversation.lock().await;
            if path == "/v1/stop" { conversation.post(path, &()).await } else { conversation.get(path).await }
        };
        match answer {
            Ok(progress) => {
                told |= path == "/v1/stop";
                heard = tokio::time::Instant::now();
                *mine.lock().await = progress.counts;
                last = progress;
                show(all, counters).await;
                if last.state == State::Ended {
                    return (last, None);
                }
            }
            Err(error) if heard.elapsed() > LOST_AFTER => return (last, Some(error.to_string())),
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            _ = stop.wait(), if !told => {}
        }
    }
}

async fn show(all: &[Mutex<Snapshot>], counters: &Counters) {
    let mut sum = Snapshot::default();
    for one in all {
        let one = *one.lock().await;
        sum.sent += one.sent;
        sum.succeeded += one.succeeded;
        sum.failed += one.failed;
        sum.starved += one.starved;
    }
    counters.show(sum);
}
