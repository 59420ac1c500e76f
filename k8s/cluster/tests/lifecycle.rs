//! A real cluster on this machine, as root: what it can do, what it survives, and that nothing of it stays.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use podwitness_cluster::process::ProcessId;
use podwitness_cluster::{Cluster, ClusterGuard, Error, Metrics, Options, ProxyMode, binaries};
use support::{Machine, Place, SHELL_IMAGE, cluster_processes, kill_now, turn};

const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `look` is true.
fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn run_pod(cluster: &Cluster, name: &str, script: &str) {
    let image = format!("--image={SHELL_IMAGE}");
    cluster
        .kubectl(&["run", name, &image, "--image-pull-policy=Never", "--command", "--", "sh", "-c", script])
        .unwrap();
    cluster.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{name}"), "--timeout=60s"]).unwrap();
}

/// Runs a program in the client's namespace; its output if it succeeds.
fn from_client(cluster: &Cluster, program: &str, arguments: &[&str]) -> Option<String> {
    let output = cluster.client_command(program).args(arguments).stderr(Stdio::null()).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// What the lab's gateway answers to the client; empty if nothing.
fn ask_gateway(cluster: &Cluster) -> String {
    let address = cluster.node().address();
    let script = format!(
        "exec 3<>/dev/tcp/{address}/30080 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && exec timeout 2 cat <&3"
    );
    from_client(cluster, "timeout", &["3", "bash", "-c", &script]).unwrap_or_default()
}

/// A web server behind the lab's node port.
fn serve(cluster: &Cluster) {
    let script = "mkdir /tmp/www; echo served > /tmp/www/index.html; exec /bin/busybox httpd -f -p 8080 -h /tmp/www";
    run_pod(cluster, "web", script);
    expose(cluster);
    eventually("the node port to answer", || ask_gateway(cluster).ends_with("served\n"));
}

fn expose(cluster: &Cluster) {
    let service = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort, \
                   selector: {run: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}}";
    cluster.apply(service).unwrap();
}

#[test]
fn a_cluster_works_is_repaired_and_goes_without_a_trace() {
    let Some(_turn) = turn("a_cluster_works_is_repaired_and_goes_without_a_trace") else { return };
    let (place, before) = (Place::new(), Machine::look());
    let options = place.options();
    let cluster = ClusterGuard::up(&options).unwrap();

    let nodes = from_client(&cluster, "kubectl", &["get", "nodes"]).unwrap();
    assert!(nodes.contains(binaries::kubernetes_version()) && nodes.contains(" Ready "), "{nodes}");
    serve(&cluster);
    let names = cluster.kubectl(&["exec", "web", "--", "nslookup", "web.default.svc.cluster.local"]).unwrap();
    assert!(names.contains("Address: 10.96."), "{names}");
    no_way_out(&cluster);
    the_observers_rights(&cluster);

    up_again_changes_nothing(&cluster, &options);
    killed_parts_are_repaired(&cluster, &options);

    kill_everything(&options.root);
    assert!(!Cluster::status(&options.root).unwrap().up);
    cluster.down().unwrap();
    before.assert_unchanged("after `down` of a cluster that was killed");
}

/// Neither the client nor a pod reaches anything but the cluster.
fn no_way_out(cluster: &Cluster) {
    let routes = from_client(cluster, "ip", &["route"]).unwrap();
    assert!(!routes.contains("default"), "{routes}");
    let shell = ["exec", "web", "--", "nc", "-w", "1", "192.0.2.1", "80"];
    assert!(cluster.kubectl(&shell).is_err(), "a pod reached an address outside");
}

/// What the observer's pod asks for: the node's network, three capabilities, and two kernel filesystems to read.
fn the_observers_rights(cluster: &Cluster) {
    let cgroups = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .into_iter()
        .find(|dir| Path::new(dir).join("cgroup.controllers").exists());
    let pod = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: rights}}, spec: {{hostNetwork: true, restartPolicy: Never,
          volumes: [{{name: cgroup, hostPath: {{path: {}, type: Directory}}}},
                    {{name: tracing, hostPath: {{path: /sys/kernel/tracing, type: Directory}}}}],
          containers: [{{name: main, image: \"{SHELL_IMAGE}\", imagePullPolicy: Never,
            command: [sh, -c, 'grep CapEff /proc/self/status; cat /tracing/events/sock/inet_sock_set_state/id;
                               ls /cgroup/pw-cluster/node0/kubepods; ip -o link show n0'],
            volumeMounts: [{{name: cgroup, mountPath: /cgroup, readOnly: true}},
                           {{name: tracing, mountPath: /tracing, readOnly: true}}],
            securityContext: {{readOnlyRootFilesystem: true, allowPrivilegeEscalation: false,
              seccompProfile: {{type: RuntimeDefault}},
              capabilities: {{drop: [ALL], add: [BPF, PERFMON, NET_ADMIN]}}}}}}]}}}}",
        cgroups.unwrap()
    );
    cluster.apply(&pod).unwrap();
    cluster.kubectl(&["wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/rights", "--timeout=30s"]).unwrap();
    let printed = cluster.kubectl(&["logs", "rights"]).unwrap();
    // Bits 12 (NET_ADMIN), 38 (PERFMON) and 39 (BPF), no others.
    assert!(printed.contains("000000c000001000"), "{printed}");
    assert!(printed.contains("besteffort") && printed.contains("n0"), "{printed}");
}

fn up_again_changes_nothing(cluster: &Cluster, options: &Options) {
    let processes = cluster_processes();
    let started = Instant::now();
    Cluster::up(options).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    assert_eq!(cluster_processes(), processes);

    let other = Options { proxy_mode: ProxyMode::Nftables, ..options.clone() };
    assert!(matches!(Cluster::up(&other), Err(Error::OtherOptions { .. })));
    let elsewhere = Options { root: options.root.with_file_name("other"), ..options.clone() };
    assert!(matches!(Cluster::up(&elsewhere), Err(Error::ForeignCluster { .. })));
    assert!(matches!(Cluster::down(&elsewhere.root, true), Err(Error::ForeignCluster { .. })));
    assert!(matches!(ClusterGuard::up(options), Err(Error::AlreadyUp(_))));
    assert!(Cluster::status(cluster.root()).unwrap().up);
}

/// Each daemon by itself, then several at once, then all of them.
fn killed_parts_are_repaired(cluster: &Cluster, options: &Options) {
    let uid = || cluster.kubectl(&["get", "pod", "web", "--output=jsonpath={.metadata.uid}"]).unwrap();
    let before = uid();
    let daemons = || Cluster::status(&options.root).unwrap().daemons;
    let names: Vec<String> = daemons().into_iter().map(|daemon| daemon.name).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let pid = daemons().into_iter().find(|daemon| daemon.name == name).unwrap().pid;
        let process = ProcessId::of(pid).unwrap();
        process.kill();
        eventually("it to be dead", || !process.is_alive());
        let status = Cluster::status(&options.root).unwrap();
        assert!(!status.up && status.problem.as_ref().unwrap().contains(&name), "without {name}: {status}");
        Cluster::up(options).unwrap();
        let status = Cluster::status(&options.root).unwrap();
        assert!(status.up, "after the death of {name}: {status}");
    }
    containerd_ends_while_up_looks(options);
    for name in ["kubelet", "containerd", "containerd-shim-runc-v2"] {
        let running = cluster_processes();
        let found = running.iter().find(|(_, exe)| exe.file_name().unwrap() == name);
        kill_now(found.unwrap_or_else(|| panic!("{name} does not run")).0);
    }
    Cluster::up(options).unwrap();
    eventually("the pod to serve again", || ask_gateway(cluster).ends_with("served\n"));
    kill_everything(&options.root);
    Cluster::up(options).unwrap();
    assert_eq!(uid(), before, "the repaired cluster is another one");
    eventually("the pod to serve again", || ask_gateway(cluster).ends_with("served\n"));
}

/// `up` finds it running, running no more, or dying, and repairs the cluster each time.
fn containerd_ends_while_up_looks(options: &Options) {
    for milliseconds in (0..160).step_by(20) {
        let containerd = Cluster::status(&options.root).unwrap().daemons.into_iter();
        let pid = containerd.filter(|daemon| daemon.name.starts_with("containerd")).map(|daemon| daemon.pid).next();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(milliseconds));
                kill_now(pid.unwrap());
            });
            Cluster::up(options).unwrap();
        });
        // It may have ended only after `up` had found all well.
        eventually("containerd to be dead", || ProcessId::of(pid.unwrap()).is_none_or(|process| !process.is_alive()));
        Cluster::up(options).unwrap();
    }
}

fn kill_everything(root: &Path) {
    for (pid, _) in cluster_processes() {
        kill_now(pid);
    }
    eventually("everything to be dead", || {
        Cluster::status(root).unwrap().daemons.iter().all(|daemon| !daemon.alive) && cluster_processes().is_empty()
    });
}

#[test]
fn nftables_and_metrics_and_a_small_pod_subnet() {
    let Some(_turn) = turn("nftables_and_metrics_and_a_small_pod_subnet") else { return };
    let (place, before) = (Place::new(), Machine::look());
    let options = Options {
        proxy_mode: ProxyMode::Nftables,
        metrics: Metrics::Fast,
        pod_subnet: "10.244.0.16/28".parse().unwrap(),
        ..place.options()
    };
    let cluster = ClusterGuard::up(&options).unwrap();
    serve(&cluster);
    let address = cluster.kubectl(&["get", "pod", "web", "--output=jsonpath={.status.podIP}"]).unwrap();
    assert!(options.pod_subnet.contains(&address.parse::<std::net::Ipv4Addr>().unwrap()), "{address}");
    let rules = cluster.node_command("nft").args(["list", "tables"]).output().unwrap();
    assert!(String::from_utf8_lossy(&rules.stdout).contains("table ip kube-proxy"));
    eventually("the first measurement", || cluster.kubectl(&["top", "pod", "web", "--no-headers"]).is_ok());
    cluster.down().unwrap();
    before.assert_unchanged("after `down`");
}

#[test]
fn two_nodes_reach_each_other_are_repaired_and_go_without_a_trace() {
    let Some(_turn) = turn("two_nodes_reach_each_other_are_repaired_and_go_without_a_trace") else { return };
    let (place, before) = (Place::new(), Machine::look());
    let options = Options { nodes: 2, ..place.options() };
    let cluster = ClusterGuard::up(&options).unwrap();
    let status = Cluster::status(&options.root).unwrap();
    assert!(status.up && status.nodes == Some(2) && status.to_string().contains("2 nodes Ready"), "{status}");

    let pod = |name: &str, index: usize, script: &str| {
        let node = cluster.nodes()[index].name();
        let on = format!("--overrides={{\"spec\":{{\"nodeName\":\"{node}\"}}}}");
        let image = format!("--image={SHELL_IMAGE}");
        let run = ["run", name, &image, "--image-pull-policy=Never", &on, "--command", "--", "sh", "-c", script];
        cluster.kubectl(&run).unwrap();
        cluster.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{name}"), "--timeout=60s"]).unwrap();
        let address = cluster.kubectl(&["get", "pod", name, "--output=jsonpath={.status.podIP}"]).unwrap();
        assert!(
            cluster.nodes()[index].pod_subnet.contains(&address.parse::<std::net::Ipv4Addr>().unwrap()),
            "{address}"
        );
    };
    let script = "mkdir /tmp/www; echo served > /tmp/www/index.html; exec /bin/busybox httpd -f -p 8080 -h /tmp/www";
    pod("web", 1, script);
    pod("asker", 0, "exec sleep 1000");
    expose(&cluster);
    // The client dials the first node, which leads to a pod on the second. A pod asks across nodes as well, and the pod
    // on the second node asks the first one's DNS.
    eventually("the node port to answer", || ask_gateway(&cluster).ends_with("served\n"));
    let address = cluster.kubectl(&["get", "service", "web", "--output=jsonpath={.spec.clusterIP}"]).unwrap();
    let ask = format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80");
    let ask = ["exec", "asker", "--", "sh", "-c", &ask];
    let answered = || cluster.kubectl(&ask).is_ok_and(|answer| answer.ends_with("served\n"));
    eventually("the other node's pod to answer", answered);
    let names = cluster.kubectl(&["exec", "web", "--", "nslookup", "web.default.svc.cluster.local"]).unwrap();
    assert!(names.contains(&format!("Address: {address}")), "{names}");

    let processes = cluster_processes();
    Cluster::up(&options).unwrap();
    assert_eq!(cluster_processes(), processes, "`up` of what is up starts something");
    assert!(matches!(Cluster::up(&place.options()), Err(Error::OtherOptions { .. })));
    for daemon in status.daemons.iter().filter(|daemon| daemon.name.contains("pw-node1")) {
        let process = ProcessId::of(daemon.pid).unwrap();
        process.kill();
        eventually("it to be dead", || !process.is_alive());
        assert!(!Cluster::status(&options.root).unwrap().up, "without {}", daemon.name);
        Cluster::up(&options).unwrap();
    }
    eventually("the pod to serve again", || ask_gateway(&cluster).ends_with("served\n"));

    kill_everything(&options.root);
    cluster.down().unwrap();
    before.assert_unchanged("after `down` of two nodes that were killed");
    start_and_kill(&options, Duration::from_secs(2));
    Cluster::down(&options.root, true).unwrap();
    before.assert_unchanged("after an `up` of two nodes that was killed");
}

#[test]
fn an_interrupted_or_killed_start_leaves_nothing() {
    let Some(_turn) = turn("an_interrupted_or_killed_start_leaves_nothing") else { return };
    let (place, before) = (Place::new(), Machine::look());
    let options = place.options();
    binaries::ensure(true).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let timer = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            std::thread::sleep(Duration::from_millis(1200));
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(Cluster::up_unless(&options, stop), Err(Error::Interrupted)));
    timer.join().unwrap();
    before.assert_unchanged("after an interrupted `up`");

    for after_ms in [30, 120, 400, 1500, 2700] {
        start_and_kill(&options, Duration::from_millis(after_ms));
        Cluster::down(&options.root, true).unwrap();
        before.assert_unchanged(&format!("after an `up` that was killed after {after_ms} ms"));
    }

    start_and_kill(&options, Duration::from_millis(1500));
    let cluster = Cluster::up(&options).unwrap();
    assert!(Cluster::status(cluster.root()).unwrap().up, "`up` does not repair what a killed one left");
    let journal = options.root.join("journal.json");
    let text = std::fs::read(&journal).unwrap();
    std::fs::remove_file(&journal).unwrap();
    Cluster::down(&options.root, true).unwrap();
    assert!(cluster_processes().is_empty() && !options.root.exists(), "`down` without a journal leaves something");
    // What only the journal knew is undone with it.
    std::fs::create_dir(&options.root).unwrap();
    std::fs::write(&journal, text).unwrap();
    Cluster::down(&options.root, true).unwrap();
    before.assert_unchanged("after `down` without a journal, and with it");
}

/// An `up` in a process of its own, killed after a while. What it started lives on.
fn start_and_kill(options: &Options, after: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "up_in_a_process_of_its_own"])
        .env("PODWITNESS_TEST_OPTIONS", serde_json::to_string(options).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "a part of an_interrupted_or_killed_start_leaves_nothing, which runs it"]
fn up_in_a_process_of_its_own() {
    if let Ok(text) = std::env::var("PODWITNESS_TEST_OPTIONS") {
        Cluster::up(&serde_json::from_str(&text).unwrap()).unwrap();
    }
}
