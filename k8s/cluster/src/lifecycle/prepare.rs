//! What must be there before the first daemon starts. Each change is in the journal before it is made.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cgroup::Hierarchies;
use crate::command::{run, system};
use crate::daemons::{Context, addons, node as node_daemons};
use crate::error::Doing;
use crate::journal::Journal;
use crate::node::Node;
use crate::steps::Steps;
use crate::template::template;
use crate::{Result, mounts, network, pki, sysctl};

/// `context` is the first node's.
pub(super) fn prepare(
    context: &Context<'_>,
    nodes: &[Node],
    journal: &mut Journal,
    hierarchies: &Hierarchies,
    steps: &Steps,
) -> Result<()> {
    let layout = context.layout;
    for dir in [layout.root.clone(), layout.pki(), layout.logs()] {
        fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
    }
    journal.save(layout)?;
    load_modules();
    steps.check()?;

    pki::write_all(layout, nodes)?;
    for node in nodes {
        node_daemons::write_configuration(&Context { node, ..*context })?;
    }
    addons::write_configuration(context)?;
    write_shell_rc(context)?;
    steps.say("certificates and configuration written");

    journal.root_controllers = hierarchies.handed_on_by_root();
    mount_tracefs(journal, context)?;
    for node in nodes {
        hierarchies.create(&node.system_cgroup())?;
    }
    if sysctl::exists(sysctl::BPF_STATS) {
        sysctl::set(sysctl::BPF_STATS, "1")?;
    }
    network::create(nodes, &layout.root)?;
    let names: Vec<String> = nodes.iter().map(Node::name).collect();
    steps.say(format!("network namespaces {} and {} joined", names.join(", "), crate::CLIENT_NAMESPACE));
    Ok(())
}

/// The observer reads trace events; some machines do not mount them.
fn mount_tracefs(journal: &mut Journal, context: &Context<'_>) -> Result<()> {
    let at = Path::new(mounts::TRACEFS);
    let wanted = at.is_dir() && !mounts::is_mounted(at)?;
    if wanted {
        journal.mounted.push(PathBuf::from(at));
    }
    journal.save(context.layout)?;
    if wanted { mounts::mount_tracefs() } else { Ok(()) }
}

/// Loads what is a module on most distributions. Modules stay: someone else may have come to use them.
fn load_modules() {
    let text = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !text.contains("overlay") {
        // Its absence has been reported by the preflight; here it can only be tried.
        let _ = run(&mut system("modprobe", &["overlay"]));
    }
    if !sysctl::exists("net/bridge/bridge-nf-call-iptables") {
        let _ = run(&mut system("modprobe", &["br_netfilter"]));
    }
}

fn write_shell_rc(context: &Context<'_>) -> Result<()> {
    let layout = context.layout;
    let text = template!("shellrc")
        .render(&[("KUBECONFIG", &layout.kubeconfig("client").display()), ("BIN_DIR", &context.bin_dir.display())])?;
    pki::write_secret(&layout.shell_rc(), &text)
}
